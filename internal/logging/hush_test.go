package logging_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/logging"
)

func TestTheSameIsSaidOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h logging.Hush
		for _, c := range []struct {
			name string
			wait time.Duration
			left int
			ok   bool
		}{
			{"away", 0, 0, true},
			{"away", 0, 0, false},
			{"asleep", 0, 0, true},
			{"away", 59 * time.Second, 0, false},
			{"away", time.Second, 2, true},
			{"away", time.Minute, 0, true},
		} {
			<-time.After(c.wait)
			if left, ok := h.Say(c.name); left != c.left || ok != c.ok {
				t.Errorf("%s after %s: got %d, %v; want %d, %v", c.name, c.wait, left, ok, c.left, c.ok)
			}
		}
	})
}

func TestEndlessNamesTakeNoEndlessMemory(t *testing.T) {
	t.Parallel()
	var h logging.Hush
	for i := range 100_000 {
		if _, ok := h.Say(fmt.Sprint(i)); !ok {
			t.Fatalf("name %d is new and was not said", i)
		}
	}
}
