package dispatch_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func withGone(r *rig) { r.cfg.Gone = &feed.InvalidTokens{Redis: r.rdb, Now: r.clock.now} }

const skippedCode = "nova/postrider/suppressed"

func sent(r *rig) []string {
	var all []string
	for _, req := range r.vendor.seen() {
		all = append(all, req.Tokens...)
	}
	return all
}

func TestATokenThatIsKnownToBeInvalidIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, enqueue := range map[string]func(*rig, ...push.Job) []task{"separate": (*rig).separate, "packed": (*rig).packed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, withGone)
			before := r.separate(job("first", "dead", "off", "fine"))
			waiting := enqueue(r, job("many", "dead", "off", "fine", "other"), job("one", "dead"))
			r.clock.forward(time.Second)
			r.vendor.replies = []reply{but(map[string]string{"dead": "gone", "off": "off"})}
			r.finish(before...)
			r.clock.forward(2 * time.Second)
			r.finish(waiting...)
			many := r.want("many", map[wire.Outcome]int{wire.Delivered: 3, wire.Invalid: 1})
			one := r.want("one", map[wire.Outcome]int{wire.Invalid: 1})
			if many.Codes[skippedCode] != 1 || one.Codes[skippedCode] != 1 {
				t.Errorf("the ledgers have %v and %v, want the code of ours", many.Codes, one.Codes)
			}
			if got := sent(r); !slices.Equal(got, []string{"dead", "off", "fine", "off", "fine", "other"}) {
				t.Errorf("sent %q", got)
			}
			if n := r.rdb.XLen(t.Context(), wire.InvalidStream).Val(); n != 2 {
				t.Errorf("the feed has %d entries, want the two of the first job", n)
			}
			if r.meter.skipped != 2 || r.meter.fed != 2 {
				t.Errorf("%d tokens skipped and %d entries fed, want 2 and 2", r.meter.skipped, r.meter.fed)
			}
		})
	}
}

// The phone may have registered the token again.
func TestATokenThatIsEnqueuedAgainIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGone)
	older := r.separate(job("older", "dead", "x"))
	first := r.separate(job("first", "dead", "y"))
	r.clock.forward(time.Second)
	r.vendor.replies = []reply{but(map[string]string{"dead": "gone"})}
	r.finish(first...)
	r.clock.forward(2 * time.Second)
	r.finish(r.separate(job("again", "dead", "z"))...)
	r.want("again", map[wire.Outcome]int{wire.Delivered: 2})
	if n := r.rdb.ZCard(t.Context(), wire.GoneKey("shop", "nova")).Val(); n != 0 {
		t.Error("the token's mark stays")
	}
	// It is valid again, also for jobs that were enqueued before it became invalid.
	r.finish(older...)
	r.want("older", map[wire.Outcome]int{wire.Delivered: 2})
}

// The phone may register between the request and its record: the time that
// counts, here and for the application, is the request's.
func TestATokenIsInvalidSinceItsRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGone)
	tasks := r.separate(job("first", "dead", "y"))
	asked := r.clock.now()
	r.vendor.replies = []reply{but(map[string]string{"dead": "gone"})}
	answer := r.vendor.replies[0]
	r.vendor.replies[0] = answerWhen(make(chan struct{}, 1), closed(), answer)
	r.book.Now = func() time.Time { return asked.Add(time.Minute) } // it is recorded late
	r.finish(tasks...)
	e := r.rdb.XRange(t.Context(), wire.InvalidStream, "-", "+").Val()
	if want := asked.UTC().Format("2006-01-02T15:04:05.000Z07:00"); len(e) != 1 || e[0].Values["at"] != want {
		t.Errorf("the feed has %v, want one of %s", e, want)
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestQuarantinedTokensAreSent(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRig(t, withGone, func(r *rig) {
		r.book.Guard = ledger.Guard{Min: 20, Ratio: 0.9}
		r.cfg.Log = zerolog.New(&log)
	})
	tokens, codes := make([]string, 50), map[string]string{}
	for i := range tokens {
		tokens[i] = fmt.Sprint("token-", i)
		codes[tokens[i]] = "gone"
	}
	tasks := r.separate(job("a", tokens...), job("b", tokens...), job("c", "other"))
	r.clock.forward(time.Second)
	r.vendor.replies = []reply{but(codes), but(codes)}
	for _, task := range tasks {
		r.finish(task)
		r.clock.forward(2 * time.Second)
	}
	for _, id := range []string{"a", "b"} {
		r.want(id, map[wire.Outcome]int{wire.Invalid: 50})
	}
	if got := r.vendor.sizes(); !slices.Equal(got, []int{50, 50, 1}) {
		t.Errorf("requests had %v tokens, want all sent", got)
	}
	if n := r.rdb.XLen(t.Context(), wire.QuarantineStream).Val(); n != 100 || r.rdb.Exists(t.Context(), wire.InvalidStream).Val() != 0 || r.meter.quarantined != 100 {
		t.Errorf("%d quarantined, %d counted, want 100 and nothing in the feed", n, r.meter.quarantined)
	}
	if alarms := strings.Count(log.String(), `"level":"error"`); alarms != 1 || strings.Contains(log.String(), "token-") {
		t.Errorf("%d alarms, want one without a token:\n%s", alarms, log.String())
	}
}

// A message that was refused says nothing about its tokens.
func TestTheGuardCountsOnlyVerdictsOnTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.book.Guard = ledger.Guard{Min: 2, Ratio: 0.9} })
	tasks := r.separate(job("a", "t1", "t2", "t3"), job("b", "t4", "t5"))
	r.vendor.replies = []reply{say("drop"), but(map[string]string{"t4": "gone", "t5": "gone"})}
	for _, task := range tasks {
		r.finish(task)
	}
	if r.meter.quarantined != 2 {
		t.Errorf("%d quarantined and %d fed, want the invalid ones quarantined", r.meter.quarantined, r.meter.fed)
	}
}

func TestATaskWaitsIfInvalidTokensCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, withGone)
	tasks := r.separate(job("a", "t1", "t2"))
	r.must(r.rdb.Set(t.Context(), wire.GoneKey("shop", "nova"), "no set", 0).Err())
	if err := r.handle(tasks[0]); err == nil {
		t.Error("got nil, want the task put back")
	}
	r.want("a", map[wire.Outcome]int{wire.Pending: 2})
	if len(r.vendor.seen()) != 0 {
		t.Error("something was sent")
	}
}
