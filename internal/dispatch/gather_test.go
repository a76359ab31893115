package dispatch_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestSmallTasksShareARequest(t *testing.T) {
	t.Parallel()
	const epoch = 10 * time.Minute
	other := func(e wire.Entry) wire.Entry { e.Message = 1; return e }
	later := func(e wire.Entry) wire.Entry { e.Start += epoch.Milliseconds(); return e }
	for name, c := range map[string]struct {
		chunks   []wire.Entry
		priority push.Priority
		sizes    []int // sorted
	}{
		"with one message":                          {[]wire.Entry{entry("a", "t1"), entry("b", "t2"), entry("c", "t3", "t4")}, push.Normal, []int{4}},
		"bulk as well":                              {[]wire.Entry{entry("a", "t1"), entry("b", "t2")}, push.Bulk, []int{2}},
		"but high never waits":                      {[]wire.Entry{entry("a", "t1"), entry("b", "t2")}, push.High, []int{1, 1}},
		"but not with another message":              {[]wire.Entry{entry("a", "t1"), other(entry("b", "t2"))}, push.Normal, []int{1, 1}},
		"but not much later: it is another message": {[]wire.Entry{entry("a", "t1"), later(entry("b", "t2"))}, push.Normal, []int{1, 1}},
		"but not one token twice":                   {[]wire.Entry{entry("a", "t1"), entry("b", "t1")}, push.Normal, []int{1, 1}},
		"and those of a message with a token that is there twice": {
			[]wire.Entry{entry("a", "t1"), entry("b", "t1"), entry("c", "t2")}, push.Normal, []int{1, 2},
		},
		"up to the limit": {[]wire.Entry{
			entry("a", "a1", "a2", "a3", "a4", "a5"), entry("b", "b1", "b2", "b3", "b4"), entry("c", "c1"), entry("d", "d1"),
		}, push.Normal, []int{1, 10}},
		"but not over it":    {[]wire.Entry{entry("a", "a1", "a2", "a3", "a4"), entry("b", "b1", "b2", "b3", "b4"), entry("c", "c1", "c2", "c3")}, push.Normal, []int{3, 8}},
		"but not large ones": {[]wire.Entry{entry("a", "a1", "a2", "a3", "a4", "a5", "a6"), entry("b", "b1")}, push.Normal, []int{1, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(b *bubble) {
				var ends []<-chan error
				for _, e := range c.chunks {
					ends = append(ends, b.start(b.Context(), b.chunk(c.priority, e)))
				}
				for i, end := range ends {
					if err := <-end; err != nil {
						b.Errorf("task %d ended with %v", i, err)
					}
				}
				for _, e := range c.chunks {
					b.want(e.Job, outcomes{wire.Delivered: len(e.Tokens)})
				}
				if got := sorted(b.vendor.sizes()); !slices.Equal(got, c.sizes) {
					b.Errorf("requests have %v tokens, want %v", got, c.sizes)
				}
			})
		})
	}
}

func TestHowLongTasksWaitForEachOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		linger   time.Duration
		priority push.Priority
		tasks    int
		most     time.Duration
	}{
		"one by itself hardly at all":      {10 * time.Millisecond, push.Normal, 1, time.Millisecond},
		"two for the linger":               {10 * time.Millisecond, push.Normal, 2, 10 * time.Millisecond},
		"as many as fit, not at all":       {10 * time.Millisecond, push.Normal, 10, 0},
		"high, not at all":                 {10 * time.Millisecond, push.High, 2, 0},
		"without a linger, not at all":     {0, push.Normal, 2, 0},
		"with a linger that is very short": {100 * time.Microsecond, push.Normal, 1, 100 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) { b.cfg.Linger = c.linger }, func(b *bubble) {
				start := time.Now()
				var ends []<-chan error
				for i := range c.tasks {
					ends = append(ends, b.start(b.Context(), b.chunk(c.priority, entry(fmt.Sprint("job-", i), fmt.Sprint("t", i)))))
				}
				for _, end := range ends {
					<-end
				}
				if took := time.Since(start); took > c.most {
					b.Errorf("took %v, want at most %v", took, c.most)
				}
			})
		})
	}
}

// Tasks that share a request share nothing else.
func TestEveryTaskOfARequestHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.vendor.replies = []reply{but(map[string]string{"t2": "gone", "t3": "busy", "t4": "4711"})}
		var tasks []task
		var ends []<-chan error
		for i := range 5 {
			e := entry(fmt.Sprint("job-", i+1), fmt.Sprint("t", i+1))
			e.AtMostOnce = i == 3 || i == 4 // an unknown code leaves its outcome unknown
			tasks = append(tasks, b.chunk(push.Normal, e))
			ends = append(ends, b.start(b.Context(), tasks[i]))
		}
		var dead *queue.DeadError
		if err := <-ends[0]; err != nil {
			b.Errorf("the delivered one ended with %v", err)
		}
		if err := <-ends[1]; err != nil {
			b.Errorf("the invalid one ended with %v", err)
		}
		if again := mustAgain(b.T, <-ends[2]); !again.Counted || again.Reason != "nova/token/busy: try later" {
			b.Errorf("the busy one is put back with %+v", again)
		}
		if err := <-ends[3]; !errors.As(err, &dead) {
			b.Errorf("the one in doubt ended with %v", err)
		}
		if err := <-ends[4]; err != nil {
			b.Errorf("the one delivered at most once ended with %v", err)
		}
		b.want("job-1", outcomes{wire.Delivered: 1})
		b.want("job-2", outcomes{wire.Invalid: 1})
		b.want("job-3", outcomes{wire.Pending: 1})
		b.want("job-4", outcomes{wire.Dead: 1})
		b.want("job-5", outcomes{wire.Delivered: 1})
		b.finish(tasks[2])
		b.want("job-3", outcomes{wire.Delivered: 1})
		if got := b.vendor.sizes(); !slices.Equal(got, []int{5, 1}) {
			b.Errorf("requests have %v tokens, want 5 and the one that was busy", got)
		}
	})
}

// A task that expires while they wait for a permit is left out; the others are sent.
func TestAnExpiredTaskLeavesItsRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		first := true
		b.gate.admit = func() (time.Duration, string, error) {
			wait := map[bool]time.Duration{true: 500 * time.Millisecond}[first]
			first = false
			return wait, "rate", nil
		}
		short := entry("b", "t2")
		short.Expires = time.Now().Add(200 * time.Millisecond).UnixMilli()
		one, two := b.start(b.Context(), b.chunk(push.Normal, entry("a", "t1"))), b.start(b.Context(), b.chunk(push.Normal, short))
		if err := errors.Join(<-one, <-two); err != nil {
			b.Error(err)
		}
		b.want("a", outcomes{wire.Delivered: 1})
		b.want("b", outcomes{wire.Expired: 1})
		if got := b.vendor.seen(); len(got) != 1 || !slices.Equal(got[0].Tokens, []string{"t1"}) {
			b.Errorf("requests are %+v, want one with t1", got)
		}
	})
}

// A request of several tasks that is too large is halved for each of them.
func TestHalvesOfASharedRequestAreNotJoinedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.vendor.always = most(1)
		var tasks []task
		for i := range 4 {
			tasks = append(tasks, b.chunk(push.Normal, entry(fmt.Sprint("job-", i), fmt.Sprint("t", i))))
		}
		for round := 0; len(tasks) > 0 && round < 20; round++ {
			left := tasks[:0:0]
			var ends []<-chan error
			for _, task := range tasks {
				ends = append(ends, b.start(b.Context(), task))
			}
			for i, end := range ends {
				if err := <-end; err != nil {
					left = append(left, tasks[i])
				}
			}
			tasks = left
		}
		for i := range 4 {
			b.want(fmt.Sprint("job-", i), outcomes{wire.Delivered: 1})
		}
	})
}

// 10,000 jobs of one token each, with one message, in tasks of their own.
func TestTenThousandSingleJobsNeedFewRequests(t *testing.T) {
	t.Parallel()
	const jobs, handlers, most = 10_000, 256, 200
	r := newRig(t, func(r *rig) {
		r.acct.Batch, r.acct.Spec.Batch = 1000, 1000
		r.cfg.Linger, r.cfg.Requests = 10*time.Millisecond, 64
	})
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < jobs; i += 8 {
				if _, err := r.client.Enqueue(t.Context(), job(fmt.Sprint("job-", i), fmt.Sprint("token-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	tasks := r.tasks()
	if len(tasks) != jobs {
		t.Fatalf("%d tasks, want %d", len(tasks), jobs)
	}
	waiting := make(chan task, jobs)
	for _, task := range tasks {
		waiting <- task
	}
	close(waiting)
	for range handlers {
		wg.Go(func() {
			for task := range waiting {
				if err := r.handle(task); err != nil {
					t.Errorf("task %s: %v", task.ID, err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(r.vendor.sizes()); got > most {
		t.Errorf("%d requests were made, want at most %d", got, most)
	}
	for i := range jobs {
		if i%100 == 0 {
			r.want(fmt.Sprint("job-", i), outcomes{wire.Delivered: 1})
		}
	}
	if n := r.meter.outcomes[wire.Delivered]; n != jobs {
		t.Errorf("%d tokens are delivered, want %d", n, jobs)
	}
}

// sendsMixed makes the vendor one that takes n tokens of different messages at once.
func sendsMixed(m *mixedSender, n int) func(*bubble) {
	return func(b *bubble) {
		m.vendor = b.vendor
		b.acct.Vendor, b.acct.Spec.MaxMixed = m, n
	}
}

var _ dispatch.Book = (*memoryBook)(nil)
