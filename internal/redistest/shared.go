package redistest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// shared is the one server that the tests of a binary use together. It is a
// package variable because testing offers no other way to hand something from
// TestMain to every test; Main ends it.
var shared struct {
	sync.Mutex
	server *Server
}

// Main is the body of a TestMain. It runs the tests, stops the server that
// Client may have started, checks that no goroutine was left behind, and exits.
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	stop()
	if code == 0 {
		// go-redis goes on dialing a server that refused it, and looks once a
		// second whether its client was closed.
		dialing := goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
		if err := goleak.Find(dialing); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Client returns a client on an empty logical database of the test binary's
// shared server, which the first call starts; the package's TestMain must be
// Main. Tests that break the server Start one of their own.
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
