package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// counting counts the chunks that are loaded.
type counting struct {
	*memoryBook
	loads int
}

func (c *counting) Load(ctx context.Context, h wire.Header) (*ledger.Open, error) {
	c.loads++
	return c.memoryBook.Load(ctx, h)
}

// limited is a bubble whose app may send 10 tokens a second, and has used them up
// for a time. A request that asks for a place gets one in a minute.
type limited struct {
	*bubble
	book   *counting
	places []dispatch.Waiting
}

func atItsLimit(t *testing.T, free time.Duration, test func(*limited)) {
	t.Helper()
	l := &limited{}
	inBubble(t, func(b *bubble) {
		l.bubble, l.book = b, &counting{memoryBook: b.memory}
		b.cfg.Book, b.acct.Rate, b.cfg.Linger = l.book, 10, 0
		open := time.Now().Add(free)
		b.gate.limited = func(*account.Account, int) time.Duration { return time.Until(open) }
		b.gate.place = func(w dispatch.Waiting) time.Duration {
			l.places = append(l.places, w)
			return time.Minute
		}
	}, func(*bubble) { test(l) })
}

// ten is a chunk with ten tokens of one job.
func (l *limited) ten(p push.Priority, id string) task {
	var tokens []string
	for i := range 10 {
		tokens = append(tokens, fmt.Sprint(id, "-", i))
	}
	return l.chunk(p, entry(id, tokens...))
}

// waits checks that the handler has not returned.
func (l *limited) waits(end <-chan error) {
	l.Helper()
	select {
	case err := <-end:
		l.Errorf("the task ended with %v, want it to wait in line", err)
	default:
	}
}

func TestATaskThatDoesNotFitInLineGetsATimeBeforeItsChunkIsLoaded(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		first, second := l.start(l.Context(), l.ten(push.Normal, "a")), l.start(l.Context(), l.ten(push.Normal, "b"))
		l.waits(first)
		l.waits(second)
		loads := l.book.loads
		again := mustAgain(l.T, <-l.start(l.Context(), l.ten(push.Normal, "c")))
		if wait := time.Until(again.At); wait != time.Minute || again.Counted || !again.Promised {
			t.Errorf("put back for %v as %+v, want a minute, promised and not counted", wait, again)
		}
		if want := "waiting for the rate limit until " + again.At.UTC().Format("2006-01-02T15:04:05.000Z"); again.Reason != want {
			t.Errorf("the reason is %q, want %q", again.Reason, want)
		}
		if want := (dispatch.Waiting{Priority: push.Normal, Units: 10, Ahead: 20}); len(l.places) != 1 || l.places[0] != want {
			t.Errorf("it asked for %+v, want %+v", l.places, want)
		}
		if l.book.loads != loads {
			t.Error("its chunk was loaded")
		}
		for _, end := range []<-chan error{first, second} {
			if err := <-end; err != nil {
				t.Errorf("what waited in line ended with %v", err)
			}
		}
		if err := <-l.start(l.Context(), l.ten(push.Normal, "d")); err != nil { // the line is empty again
			t.Errorf("the next one ended with %v", err)
		}
	})
}

// An app's bulk job does not delay its other messages.
func TestEachPriorityHasALineOfItsOwn(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		ends := []<-chan error{l.start(l.Context(), l.ten(push.Bulk, "a")), l.start(l.Context(), l.ten(push.Bulk, "b"))}
		mustAgain(l.T, <-l.start(l.Context(), l.ten(push.Bulk, "c")))
		if want := (dispatch.Waiting{Priority: push.Bulk, Units: 10, Ahead: 20}); len(l.places) != 1 || l.places[0] != want {
			t.Errorf("it asked for %+v, want %+v", l.places, want)
		}
		ends = append(ends, l.start(l.Context(), l.ten(push.Normal, "d")))
		for _, end := range ends {
			l.waits(end)
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Errorf("what waited in line ended with %v", err)
			}
		}
	})
}

func TestWhatWaitsLongerThanALineIsPutBack(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 3*time.Second, func(l *limited) {
		again := mustAgain(l.T, <-l.start(l.Context(), l.ten(push.Normal, "a")))
		if wait := time.Until(again.At); wait != time.Minute || !again.Promised {
			t.Errorf("put back for %v, promised %v, want its own time", wait, again.Promised)
		}
	})
}

// Another worker may take the permits that a request waits for. Then the request
// would wait in line until there are new ones.
func TestARequestWhoseWaitGrowsInLineIsPutBack(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		begin := time.Now()
		end := l.start(l.Context(), l.ten(push.Normal, "a"))
		l.waits(end)
		l.gate.mu.Lock()
		l.gate.limited = func(*account.Account, int) time.Duration { return time.Hour }
		l.gate.mu.Unlock()
		again := mustAgain(l.T, <-end)
		if took := time.Since(begin); took != 500*time.Millisecond || !again.Promised {
			t.Errorf("it was put back after %v as %+v, want a time of its own as soon as the wait is known", took, again)
		}
	})
}

func TestHighPriorityDoesNotWaitInLine(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		var ends []<-chan error
		for i := range 4 {
			ends = append(ends, l.start(l.Context(), l.ten(push.High, fmt.Sprint("high-", i))))
		}
		for _, end := range ends {
			l.waits(end)
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Errorf("a task of high priority ended with %v, want it sent", err)
			}
		}
	})
}

// A task that had a time says so: it goes before those that had none. If a task
// comes before its time, somebody made it come earlier: it may be canceled, so its
// chunk is loaded.
func TestATaskThatHadATime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		promised time.Duration
		word     string // of its last error
		loaded   bool
		kept     bool
	}{
		"and it has come":        {promised: -time.Second, word: "waiting for the rate limit until ", kept: true},
		"and comes before it":    {promised: time.Hour, word: "waiting for the rate limit until ", loaded: true},
		"of another kind":        {promised: time.Hour, word: "huawei/http/503: until "},
		"which cannot be read":   {word: "waiting for the rate limit until tomorrow "},
		"and it has almost come": {promised: 90 * time.Millisecond, word: "waiting for the rate limit until ", kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atItsLimit(t, 500*time.Millisecond, func(l *limited) {
				ends := []<-chan error{l.start(l.Context(), l.ten(push.Normal, "a")), l.start(l.Context(), l.ten(push.Normal, "b"))}
				loads := l.book.loads
				task := l.ten(push.Normal, "c")
				task.LastError = c.word + time.Now().Add(c.promised).UTC().Format("2006-01-02T15:04:05.000Z")
				mustAgain(l.T, <-l.start(l.Context(), task))
				if got := l.book.loads > loads; got != c.loaded {
					t.Errorf("its chunk was loaded: %v, want %v", got, c.loaded)
				}
				if len(l.places) != 1 || l.places[0].Late != c.kept {
					t.Errorf("it asked for %+v, want late %v", l.places, c.kept)
				}
				for _, end := range ends {
					<-end
				}
			})
		})
	}
}

func TestACanceledTaskIsNotPutBackForTheRateLimit(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		ends := []<-chan error{l.start(l.Context(), l.ten(push.Normal, "a")), l.start(l.Context(), l.ten(push.Normal, "b"))}
		task := l.ten(push.Normal, "c")
		l.memory.cancel("c")
		if err := <-l.start(l.Context(), task); err != nil {
			t.Errorf("it ended with %v, want its tokens counted at once", err)
		}
		l.want("c", outcomes{wire.Canceled: 10})
		for _, end := range ends {
			<-end
		}
	})
}

// A chunk of many messages is worked at the limit as a whole, however long that
// takes. A third one of its app gets a time after both.
func TestFewPackedChunksOfALimitedAppAreWorkedAtOnce(t *testing.T) {
	t.Parallel()
	atItsLimit(t, 500*time.Millisecond, func(l *limited) {
		pack := func(id string) task {
			var all []wire.Entry
			for i := range 30 {
				e := entry(fmt.Sprint(id, "-", i), fmt.Sprint(id, "-token-", i))
				e.Message = i % 9
				all = append(all, e)
			}
			return l.chunk(push.Normal, all...)
		}
		first, second := l.start(l.Context(), pack("a")), l.start(l.Context(), pack("b"))
		l.waits(first)
		l.waits(second)
		again := mustAgain(l.T, <-l.start(l.Context(), pack("c")))
		if !strings.HasPrefix(again.Reason, "waiting for the rate limit until ") || !again.Promised {
			t.Errorf("the third was put back as %+v", again)
		}
		if want := (dispatch.Waiting{Priority: push.Normal, Units: 30, Ahead: 60}); len(l.places) != 1 || l.places[0] != want {
			t.Errorf("it asked for %+v, want %+v", l.places, want)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := <-l.start(l.Context(), pack("d")); err != nil { // both turns are free again
			t.Errorf("the next one ended with %v", err)
		}
	})
}
