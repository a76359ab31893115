package dispatch_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// start runs a task in a goroutine.
func (r *rig) start(ctx context.Context, t task) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.d.Handle(ctx, t.lane, t.Task) }()
	return done
}

// A worker that was killed between its intent and its record never comes back. A
// worker that was only frozen does, and its record must be refused. Other workers
// see no difference.
func TestAWorkerThatFreezesInItsRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		delivery push.Delivery
		want     outcomes
		requests int
	}{
		"the others send again, at least once":             {push.AtLeastOnce, outcomes{wire.Delivered: 2}, 2},
		"the others do not know the outcome, at most once": {push.AtMostOnce, outcomes{wire.Dead: 2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			began, thaw := make(chan struct{}, 1), make(chan struct{})
			r.vendor.replies = []reply{answerWhen(began, thaw, but(map[string]string{"t1": "gone"}))}
			j := job("a", "t1", "t2")
			j.Delivery = c.delivery
			tasks := r.separate(j)
			frozen := r.start(t.Context(), tasks[0])
			from(t, began, "the request")

			r.finish(tasks...) // by another worker
			r.want("a", c.want)
			close(thaw)
			late := r.mustAgain(from(t, frozen, "the frozen worker's end"))
			if late.Counted {
				t.Error("the late run counts an attempt")
			}
			r.want("a", c.want)
			r.wantEntries(wire.InvalidStream, nil)
			if got := len(r.vendor.sizes()); got != c.requests {
				t.Errorf("%d requests were made, want %d", got, c.requests)
			}
			if err := r.handle(tasks[0]); err != nil {
				t.Errorf("when the late run comes again: got %v, want nothing left", err)
			}
			if c.delivery == push.AtMostOnce {
				r.wantEntries(wire.DeadStream, []string{"reason", "tokens", "attempts"}, "unknown-outcome|t1\nt2|1")
			}
		})
	}
}

// The late run may be refused in the middle of a chunk that others work on.
func TestALateRecordDoesNotTouchWhatGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	began, thaw := make(chan struct{}, 1), make(chan struct{})
	r.vendor.replies = []reply{answerWhen(began, thaw, say("ok")), but(map[string]string{"t2": "busy"})}
	tasks := r.separate(job("a", "t1", "t2"))
	frozen := r.start(t.Context(), tasks[0])
	from(t, began, "the request")
	r.again(tasks[0])
	r.want("a", outcomes{wire.Delivered: 1, wire.Pending: 1})
	close(thaw)
	r.mustAgain(from(t, frozen, "the frozen worker's end"))
	r.want("a", outcomes{wire.Delivered: 1, wire.Pending: 1})
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 2})
	if got := r.vendor.sizes(); !slices.Equal(got, []int{2, 2, 1}) {
		t.Errorf("requests have %v tokens, want 2, 2 and the one that is left", got)
	}
}

// book lets a test delay records, or lose their replies.
type book struct {
	dispatch.Book
	settle func(ctx context.Context, steps []*ledger.Step, next func() ([]bool, error)) ([]bool, error)
}

func (b *book) Settle(ctx context.Context, steps []*ledger.Step) ([]bool, error) {
	return b.settle(ctx, steps, func() ([]bool, error) { return b.Book.Settle(ctx, steps) })
}

func booked(settle func(ctx context.Context, steps []*ledger.Step, next func() ([]bool, error)) ([]bool, error)) func(*rig) {
	return func(r *rig) { r.cfg.Book = &book{r.book, settle} }
}

// No request of an at-most-once job may begin before its intent is in Redis, even
// if another request of the same chunk is being recorded at that moment.
func TestNoRequestBeginsBeforeItsIntentIsRecorded(t *testing.T) {
	t.Parallel()
	var r *rig
	recorded := map[byte]int{} // states in Redis, by their number
	states := func(steps []*ledger.Step) {
		r.vendor.mu.Lock()
		defer r.vendor.mu.Unlock()
		clear(recorded)
		for _, s := range steps {
			for _, b := range s.States {
				recorded[b]++
			}
		}
	}
	r = newRig(t, func(r *rig) { r.acct.Batch = 50; r.cfg.Requests = 16 },
		booked(func(_ context.Context, steps []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
			// Long enough for other requests of the chunk to get here.
			slow := time.NewTimer(2 * time.Millisecond)
			<-slow.C
			ok, err := next()
			states(steps)
			return ok, err
		}))
	var wrong int
	inFlight := 0
	r.vendor.always = func(q *vendors.Request) (vendors.Answer, error) {
		r.vendor.mu.Lock()
		inFlight += len(q.Tokens)
		if recorded[wire.Sent] < inFlight {
			wrong++
		}
		r.vendor.mu.Unlock()
		slow := time.NewTimer(time.Millisecond)
		<-slow.C
		r.vendor.mu.Lock()
		inFlight -= len(q.Tokens)
		r.vendor.mu.Unlock()
		return say("ok")(q)
	}
	var jobs []push.Job
	for i := range 40 { // one chunk, a message each: one request each
		j := job("", "token-"+string(rune('A'+i)))
		j.ID, j.Delivery = "job-"+string(rune('A'+i)), push.AtMostOnce
		j.Message.Body = j.ID
		jobs = append(jobs, j)
	}
	tasks := r.packed(jobs...)
	if len(tasks) != 1 {
		t.Fatalf("%d tasks, want one", len(tasks))
	}
	if err := r.handle(tasks[0]); err != nil {
		t.Errorf("got %v, want everything sent in one run", err)
	}
	if wrong > 0 {
		t.Errorf("%d of %d requests began before their intent was recorded", wrong, len(r.vendor.sizes()))
	}
	for _, j := range jobs {
		r.want(j.ID, outcomes{wire.Delivered: 1})
	}
}

// Redis may take a step, and its reply be lost: the step must count once.
func TestARecordWhoseReplyWasLostCountsOnce(t *testing.T) {
	t.Parallel()
	lose := true
	r := newRig(t, booked(func(_ context.Context, _ []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
		ok, err := next()
		if lose {
			lose = false
			return nil, context.DeadlineExceeded
		}
		return ok, err
	}))
	r.finish(r.separate(job("a", "t1", "t2"))...)
	r.want("a", outcomes{wire.Delivered: 2})
	if got := len(r.vendor.sizes()); got != 1 {
		t.Errorf("%d requests were made, want 1", got)
	}
}

// The other requests of the same chunk must not lose their answers by that.
func TestARecordWhoseReplyWasLostDoesNotStopItsOwnRun(t *testing.T) {
	t.Parallel()
	calls, again := 0, make(chan struct{})
	r := newRig(t, booked(func(_ context.Context, _ []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
		ok, err := next()
		if calls++; calls == 1 {
			return nil, context.DeadlineExceeded
		}
		if calls == 2 {
			close(again)
		}
		return ok, err
	}))
	r.vendor.replies = []reply{say("ok"), answerWhen(make(chan struct{}, 1), again, say("ok"))}
	other := job("b", "t3", "t4")
	other.Message.Title = "Paid"
	r.finish(r.packed(job("a", "t1", "t2"), other)...)
	r.want("a", outcomes{wire.Delivered: 2})
	r.want("b", outcomes{wire.Delivered: 2})
	if got := r.vendor.sizes(); !slices.Equal(got, []int{2, 2}) {
		t.Errorf("requests have %v tokens, want each message once", got)
	}
}

// What the vendor answered is kept while Redis is away, and recorded then.
func TestAnAnswerOutlivesAnAbsenceOfRedis(t *testing.T) {
	t.Parallel()
	failures := 4
	r := newRig(t, booked(func(_ context.Context, _ []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
		if failures > 0 {
			failures--
			return nil, context.DeadlineExceeded
		}
		return next()
	}))
	if err := r.handle(r.separate(job("a", "t1", "t2"))[0]); err != nil {
		t.Errorf("got %v, want it done", err)
	}
	r.want("a", outcomes{wire.Delivered: 2})
}

// Every running task notices when Redis is away. The log says so once, and says
// once that it is over.
func TestAnAbsenceOfRedisIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	inBubble(t, func(b *bubble) {
		b.cfg.Log = zerolog.New(&log)
		back := time.Now().Add(30 * time.Second)
		b.cfg.Book = &book{b.memory, func(_ context.Context, _ []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
			if time.Now().Before(back) {
				return nil, context.DeadlineExceeded
			}
			return next()
		}}
	}, func(b *bubble) {
		var runs []<-chan error
		for _, id := range []string{"a", "b", "c"} {
			runs = append(runs, b.start(b.Context(), b.chunk(push.High, entry(id, id+"1", id+"2"))))
		}
		for _, run := range runs {
			if err := <-run; err != nil {
				b.Errorf("got %v, want it done", err)
			}
		}
	})
	for _, text := range []string{"waiting for redis", "recorded again"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("the log says %q %d times, want once:\n%s", text, n, log.String())
		}
	}
}

// A task whose time is up while its answer is being recorded must not be
// acknowledged: the record may yet fail.
func TestATaskIsNotAcknowledgedBeforeItsRecord(t *testing.T) {
	t.Parallel()
	var recording, release chan struct{}
	inBubble(t, func(b *bubble) {
		recording, release = make(chan struct{}), make(chan struct{})
		b.cfg.Book = &book{b.memory, func(_ context.Context, _ []*ledger.Step, next func() ([]bool, error)) ([]bool, error) {
			if len(b.vendor.sizes()) > 0 { // before it, their key is recorded
				recording <- struct{}{}
				<-release
			}
			return next()
		}}
	}, func(b *bubble) {
		ctx, cancel := context.WithCancel(b.Context())
		second := b.chunk(push.Normal, entry("b", "t2"))
		leader, follower := b.start(b.Context(), b.chunk(push.Normal, entry("a", "t1"))), b.start(ctx, second)
		<-recording
		cancel()
		mustAgain(b.T, <-follower)
		close(release)
		if err := <-leader; err != nil {
			b.Errorf("the other task of the request ended with %v", err)
		}
		b.finish(second)
		b.want("a", outcomes{wire.Delivered: 1})
		b.want("b", outcomes{wire.Delivered: 1})
		if got := b.vendor.sizes(); !slices.Equal(got, []int{2}) {
			b.Errorf("requests have %v tokens, want one of 2", got)
		}
	})
}

// A panic in an adapter must end neither the worker nor other tasks.
func TestAnAdapterThatPanicsCostsItsTokensAnAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		delivery push.Delivery
		jobs     int
		want     outcomes
	}{
		"in a request":                         {push.AtLeastOnce, 1, outcomes{wire.Delivered: 2}},
		"in a request, at most once":           {push.AtMostOnce, 1, outcomes{wire.Dead: 2}},
		"in one of several requests of a task": {push.AtLeastOnce, 4, outcomes{wire.Delivered: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			r := newRig(t, func(r *rig) { r.cfg.Log = zerolog.New(&log) })
			r.vendor.replies = []reply{func(q *vendors.Request) (vendors.Answer, error) { panic(q.Tokens[0]) }}
			var jobs []push.Job
			for i := range c.jobs {
				id := fmt.Sprint("job-", i)
				j := job(id, "token-1-of-"+id, "token-2-of-"+id)
				j.Delivery, j.Message.Body = c.delivery, id
				jobs = append(jobs, j)
			}
			r.finish(r.packed(jobs...)...)
			for _, j := range jobs {
				r.want(j.ID, c.want)
			}
			if s := log.String(); !strings.Contains(s, "panicked") || strings.Contains(s, "token-1-of") {
				t.Errorf("the log says %q, want the panic and no token", s)
			}
			if got := r.entries(wire.DeadStream, "reason", "detail"); c.delivery == push.AtMostOnce && !slices.Equal(got, []string{"unknown-outcome|the vendor's adapter panicked"}) {
				t.Errorf("dead letters are %q", got)
			}
		})
	}
}
