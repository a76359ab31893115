package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// first does something when the first permit is asked for.
func (g *gate) first(do func()) {
	done := false
	g.admit = func() (time.Duration, string, error) {
		if !done {
			done = true
			do()
		}
		return 0, "", nil
	}
}

// A second after a cancel returned nothing new may be sent, however long the chunk
// has waited in a worker.
func TestAJobThatIsCanceledWhileItWaitsIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens   []string
		delivery push.Delivery
		waits    time.Duration
		sent     bool
	}{
		"a job of one token":                {[]string{"t1"}, "", 600 * time.Millisecond, false},
		"a job of many":                     {[]string{"t1", "t2", "t3"}, "", 600 * time.Millisecond, false},
		"a job that is sent at most once":   {[]string{"t1", "t2"}, push.AtMostOnce, 600 * time.Millisecond, false},
		"a job that hardly waited may pass": {[]string{"t1", "t2"}, "", 400 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			j := job("a", c.tokens...)
			j.Delivery = c.delivery
			tasks := r.separate(j)
			r.gate.first(func() {
				r.must(r.book.Cancel(context.Background(), "a"))
				r.clock.forward(c.waits)
			})
			n := len(c.tokens)
			if c.sent {
				r.finish(tasks...)
				r.want("a", outcomes{wire.Delivered: n})
				return
			}
			if got := r.again(tasks[0]); got.Counted || got.At.After(r.clock.now()) {
				t.Errorf("the task comes again at %v, counted %v, want at once and not counted", got.At, got.Counted)
			}
			r.finish(tasks...)
			st := r.want("a", outcomes{wire.Canceled: n})
			if got := r.vendor.sizes(); len(got) > 0 || st.State != wire.Canceling || len(st.Codes) > 0 {
				t.Errorf("requests of %v tokens were made, the ledger is %+v", got, st)
			}
		})
	}
}

func TestWhatSharedTheRequestOfACanceledJobIsSentAfterwards(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.packed(job("a", "t1"), job("b", "t2", "t3"), job("c", "t4"))
	r.gate.first(func() {
		r.must(r.book.Cancel(context.Background(), "b"))
		r.clock.forward(time.Minute)
	})
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 1})
	r.want("b", outcomes{wire.Canceled: 2})
	r.want("c", outcomes{wire.Delivered: 1})
	if got := r.vendor.sizes(); !slices.Equal(got, []int{2}) {
		t.Errorf("requests have %v tokens, want one of the two that are left", got)
	}
}

// slow takes a time to get an access token, and calls do meanwhile.
type slow struct {
	access
	do func()
}

func (s *slow) Access(ctx context.Context, app, vendor string, g vendors.Granter, fingerprint string) (string, error) {
	s.do()
	return s.access.Access(ctx, app, vendor, g, fingerprint)
}

func TestAJobThatIsCanceledWhileAnAccessTokenIsFetchedIsNotSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) {
		r.acct.Vendor = granter{r.vendor}
		r.cfg.Access = &slow{do: func() {
			_ = r.book.Cancel(context.Background(), "a")
			r.clock.forward(5 * time.Second)
		}}
	})
	r.finish(r.separate(job("a", "t1", "t2"))...)
	r.want("a", outcomes{wire.Canceled: 2})
	if got := r.vendor.sizes(); len(got) > 0 {
		t.Errorf("requests of %v tokens were made", got)
	}
}

// blind fails the first time that it is asked what was canceled.
type blind struct {
	dispatch.Book
	asked int
}

func (b *blind) Recheck(ctx context.Context, loaded []ledger.Loaded) (string, error) {
	if b.asked++; b.asked == 1 {
		return "", errors.New("redis is away")
	}
	return b.Book.Recheck(ctx, loaded)
}

func TestWithoutKnowingWhatWasCanceledNothingIsSent(t *testing.T) {
	t.Parallel()
	b := &blind{}
	r := newRig(t, func(r *rig) { b.Book, r.cfg.Book = r.book, b })
	j := job("a", "t1", "t2")
	j.Delivery = push.AtMostOnce
	tasks := r.separate(j)
	r.gate.first(func() { r.clock.forward(time.Minute) })
	if got := r.again(tasks[0]); got.Counted || got.Reason != "redis is away" {
		t.Errorf("got %+v", got)
	}
	if got := r.vendor.sizes(); len(got) > 0 {
		t.Errorf("requests of %v tokens were made", got)
	}
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 2})
}
