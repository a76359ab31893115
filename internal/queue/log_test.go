package queue_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
)

// logged is a log that many write.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// A worker that has nothing to do says that Redis is away, and that it is back,
// once each.
func TestAnIdleWorkerSaysThatRedisIsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.AppendOnly())
	var l logged
	r.start(4, report(nil), func(c *queue.Config) { c.Log = zerolog.New(&l).Level(zerolog.InfoLevel) })
	r.waiting(3)
	for n := 1; n <= 2; n++ {
		r.server.Kill()
		r.eventually("it says that Redis is away", 20*time.Second, func() bool { return l.count(`"level":"error"`) >= n })
		r.server.Restart(t)
		r.eventually("it says that Redis is back", 20*time.Second, func() bool { return l.count("Redis answers again") == n })
		r.waiting(3)
	}
	if n := l.count("Redis answers again"); n != 2 {
		t.Errorf("it says %d times that Redis is back, want twice", n)
	}
}
