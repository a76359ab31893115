package redistest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// shared is the server that the tests of a binary share. It is a package variable
// because testing has no other way to pass a value from TestMain to every test. Main
// kills it.
var shared struct {
	sync.Mutex
	server *Server
}

// Main is the body of a TestMain. It runs the tests, stops the server that Client
// may have started, checks that no goroutine still runs, and exits.
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	stop()
	if code == 0 {
		// go-redis continues to dial a server that refused a connection, and checks
		// once a second whether its client was closed.
		dialing := goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
		if err := goleak.Find(dialing); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines still run:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Client returns a client of an empty logical database of the test binary's shared
// server, which the first call starts. The package's TestMain must call Main. Tests
// that break the server must Start their own.
func Client(tb testing.TB) *redis.Client {
	tb.Helper()
	server, err := sharedServer()
	if err != nil {
		tb.Fatal(err)
	}
	return server.Client(tb)
}

func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		return shared.server, nil
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	server, err := launch(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	shared.server = server
	return server, nil
}

func stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Kill()
		_ = os.RemoveAll(shared.server.dir)
	}
}
