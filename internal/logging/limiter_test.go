package logging_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/logging"
)

func TestALineIsRepeatedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l logging.Limiter
		for _, c := range []struct {
			name    string
			wait    time.Duration
			omitted int
			ok      bool
		}{
			{"redis", 0, 0, true},
			{"redis", 0, 0, false},
			{"vendor", 0, 0, true},
			{"redis", 59 * time.Second, 0, false},
			{"redis", time.Second, 2, true},
			{"redis", time.Minute, 0, true},
		} {
			<-time.After(c.wait)
			if omitted, ok := l.Allow(c.name); omitted != c.omitted || ok != c.ok {
				t.Errorf("%s after %s: got %d, %v; want %d, %v", c.name, c.wait, omitted, ok, c.omitted, c.ok)
			}
		}
	})
}

func TestMemoryIsBoundedWithManyNames(t *testing.T) {
	t.Parallel()
	var l logging.Limiter
	for i := range 100_000 {
		if _, ok := l.Allow(fmt.Sprint(i)); !ok {
			t.Fatalf("name %d is new, want it allowed", i)
		}
	}
}
