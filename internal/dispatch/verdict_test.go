package dispatch_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// outcomes is a ledger's balance; what is not named is zero.
type outcomes map[wire.Outcome]int

func TestTheOutcomesOfAJobsTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies  []reply
		always   reply
		delivery push.Delivery
		want     outcomes
		sizes    []int
		codes    map[string]int
	}{
		"all are accepted": {
			want: outcomes{wire.Delivered: 4}, sizes: []int{4}, codes: map[string]int{"nova/response/ok": 4},
		},
		"one is invalid, one is switched off, one is not served": {
			replies: []reply{but(map[string]string{"t1": "gone", "t2": "off", "t3": "region"})},
			want:    outcomes{wire.Delivered: 1, wire.Invalid: 2, wire.Dropped: 1}, sizes: []int{4},
			codes: map[string]int{"nova/response/ok": 1, "nova/token/gone": 1, "nova/token/off": 1, "nova/token/region": 1},
		},
		"two are busy at first, and only they are sent again": {
			replies: []reply{but(map[string]string{"t1": "busy", "t3": "busy"}), but(map[string]string{"t3": "busy"})},
			want:    outcomes{wire.Delivered: 4}, sizes: []int{4, 2, 1},
			codes: map[string]int{"nova/response/ok": 4, "nova/token/busy": 3},
		},
		"the message is wrong": {
			replies: []reply{say("drop")}, want: outcomes{wire.Dropped: 4}, sizes: []int{4}, codes: map[string]int{"nova/response/drop": 4},
		},
		"the vendor recovers": {
			replies: []reply{say("busy"), fail(classify.Transport, classify.Dial)}, want: outcomes{wire.Delivered: 4}, sizes: []int{4, 4, 4},
			codes: map[string]int{"nova/response/ok": 4, "nova/response/busy": 4, "nova/transport/dial": 4},
		},
		"the vendor does not recover": {
			always: say("busy"), want: outcomes{wire.Dead: 4}, sizes: []int{4, 4, 4}, codes: map[string]int{"nova/response/busy": 12},
		},
		"flow control costs no attempt": {
			replies: []reply{say("slow"), say("slow"), after(time.Minute, "slow"), say("slow"), say("slow"), say("busy"), say("busy")},
			want:    outcomes{wire.Delivered: 4}, sizes: []int{4, 4, 4, 4, 4, 4, 4, 4},
			codes: map[string]int{"nova/response/ok": 4, "nova/response/slow": 20, "nova/response/busy": 8},
		},
		"a quota that ends costs no attempt and no token, but the job expires": {
			always: say("quota"), want: outcomes{wire.Expired: 4}, sizes: []int{4, 4}, codes: map[string]int{"nova/response/quota": 8},
		},
		"an unknown code is tried twice": {
			always: say("4711"), want: outcomes{wire.Dead: 4}, sizes: []int{4, 4}, codes: map[string]int{"nova/response/4711": 8},
		},
		"an unknown code of a token neither deletes nor delivers it": {
			always: but(map[string]string{"t1": "4711"}), want: outcomes{wire.Delivered: 3, wire.Dead: 1}, sizes: []int{4, 1},
			codes: map[string]int{"nova/response/ok": 3, "nova/token/4711": 2},
		},
		"no answer in time": {
			replies: []reply{fail(classify.Transport, classify.Timeout)}, want: outcomes{wire.Delivered: 4}, sizes: []int{4, 4},
			codes: map[string]int{"nova/response/ok": 4, "nova/transport/timeout": 4},
		},
		"no answer in time, at most once": {
			replies: []reply{fail(classify.Transport, classify.Timeout)}, delivery: push.AtMostOnce,
			want: outcomes{wire.Dead: 4}, sizes: []int{4}, codes: map[string]int{"nova/transport/timeout": 4},
		},
		"no connection, at most once": {
			replies: []reply{fail(classify.Transport, classify.Dial)}, delivery: push.AtMostOnce,
			want: outcomes{wire.Delivered: 4}, sizes: []int{4, 4}, codes: map[string]int{"nova/response/ok": 4, "nova/transport/dial": 4},
		},
		"busy, at most once": {
			replies: []reply{say("busy"), but(map[string]string{"t2": "busy"})}, delivery: push.AtMostOnce,
			want: outcomes{wire.Delivered: 4}, sizes: []int{4, 4, 1},
			codes: map[string]int{"nova/response/ok": 4, "nova/response/busy": 4, "nova/token/busy": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.vendor.replies, r.vendor.always = c.replies, c.always
			j := job("a", "t1", "t2", "t3", "t4")
			j.Delivery = c.delivery
			r.finish(r.separate(j)...)
			st := r.want("a", c.want)
			if !st.Ended() {
				t.Errorf("the job is %s, want it ended", st.State)
			}
			if got := r.vendor.sizes(); !slices.Equal(got, c.sizes) {
				t.Errorf("requests have %v tokens, want %v", got, c.sizes)
			}
			r.wantCodes("a", c.codes)
			for o, n := range c.want {
				if got := r.meter.outcomes[o]; got != n {
					t.Errorf("the meter counts %d %s, want %d", got, o, n)
				}
			}
			if got := len(r.entries(wire.InvalidStream)); got != c.want[wire.Invalid] {
				t.Errorf("the feed has %d entries, want %d", got, c.want[wire.Invalid])
			}
			if n := r.rdb.Exists(t.Context(), wire.JobKey("a")).Val(); n != 1 {
				t.Error("the ledger is gone")
			}
			if left := r.rdb.Keys(t.Context(), wire.ChunkKey("*")).Val(); len(left) > 0 {
				t.Errorf("chunks remain: %v", left)
			}
		})
	}
}

func TestInvalidTokensGoToTheFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{but(map[string]string{"t1": "gone", "t3": "off"})}
	r.finish(r.separate(job("a", "t1", "t2", "t3"))...)
	r.wantEntries(wire.InvalidStream, []string{"app", "vendor", "token", "code", "reason", "job", "action"},
		"shop|nova|t1|nova/token/gone|the token is dead|a|delete", "shop|nova|t3|nova/token/off|switched off|a|suppress")
}

func TestTokensThatEndDeadGoToTheDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{but(map[string]string{"t2": "busy", "t3": "busy", "t4": "busy"}), but(map[string]string{"t2": "busy", "t4": "busy"})}
	r.vendor.always = say("busy")
	tasks := r.separate(job("a", "t1", "t2", "t3", "t4"))
	var err error
	for range 3 {
		err = r.handle(tasks[0])
		r.clock.forward(time.Hour)
	}
	if dead := new(queue.DeadError); !errors.As(err, &dead) {
		t.Errorf("the task ended with %v, want it archived", err)
	}
	r.want("a", outcomes{wire.Delivered: 2, wire.Dead: 2})
	r.wantEntries(wire.DeadStream, []string{"app", "vendor", "job", "code", "reason", "class", "attempts", "tokens", "priority", "delivery"},
		"shop|nova|a|nova/response/busy|attempts|retryable|3|t2\nt4|normal|at-least-once")
	if m, err := push.DecodeMessage([]byte(r.entries(wire.DeadStream, "message")[0])); err != nil || m.Title != "Shipped" {
		t.Errorf("the dead letter's message is %+v, %v", m, err)
	}
	if err := r.handle(tasks[0]); err != nil {
		t.Errorf("running it again: got %v, want nil", err)
	}
}

// The reason is a label; the vendor's own words are the detail.
func TestADeadLetterHasTheVendorsWords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.always = fail(classify.Transport, classify.Broken)
	j := job("a", "t1")
	j.Delivery = push.AtMostOnce
	r.finish(r.separate(j)...)
	r.wantEntries(wire.DeadStream, []string{"reason", "detail", "attempts", "delivery"}, "unknown-outcome|no answer|1|at-most-once")
}

func TestNothingIsSentForAJobThatIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens []string
		before func(r *rig)
		want   outcomes
	}{
		"expired on arrival":                       {[]string{"t1", "t2"}, func(r *rig) { r.clock.forward(25 * time.Hour) }, outcomes{wire.Expired: 2}},
		"a single one expired on arrival":          {[]string{"t1"}, func(r *rig) { r.clock.forward(25 * time.Hour) }, outcomes{wire.Expired: 1}},
		"expired while it waited for a permit":     {[]string{"t1", "t2"}, func(r *rig) { r.gate.admit = r.late(25 * time.Hour) }, outcomes{wire.Expired: 2}},
		"canceled":                                 {[]string{"t1", "t2"}, func(r *rig) { r.cancel("a") }, outcomes{wire.Canceled: 2}},
		"canceled and expired":                     {[]string{"t1", "t2"}, func(r *rig) { r.cancel("a"); r.clock.forward(25 * time.Hour) }, outcomes{wire.Canceled: 2}},
		"a single one canceled":                    {[]string{"t1"}, func(r *rig) { r.cancelSingle("a") }, outcomes{wire.Canceled: 1}},
		"it would come again after it has expired": {[]string{"t1", "t2"}, func(r *rig) { r.clock.forward(24*time.Hour - 100*time.Millisecond); r.gate.admit = r.late(time.Second) }, outcomes{wire.Expired: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tasks := r.separate(job("a", c.tokens...))
			c.before(r)
			r.finish(tasks...)
			r.want("a", c.want)
			if got := r.vendor.sizes(); len(got) > 0 {
				t.Errorf("%d requests were made, want none", len(got))
			}
			r.wantEntries(wire.DeadStream, nil)
		})
	}
}

// late makes the first permit take a time.
func (r *rig) late(d time.Duration) func() (time.Duration, string, error) {
	first := true
	return func() (time.Duration, string, error) {
		if !first {
			return 0, "", nil
		}
		first = false
		r.clock.forward(d)
		return time.Millisecond, "waiting for the rate limit", nil
	}
}

func (r *rig) cancel(id string) {
	r.Helper()
	r.must(r.rdb.HSet(r.Context(), wire.JobKey(id), wire.FieldState, wire.Canceling).Err())
}

func (r *rig) cancelSingle(id string) {
	r.Helper()
	l := wire.Single{Outcome: wire.Pending, Canceling: true, App: "shop"}
	r.must(r.rdb.Set(r.Context(), wire.JobKey(id), l.Encode(), redis.KeepTTL).Err())
}

// A cancel between two attempts ends the tokens that are left.
func TestACancelEndsWhatIsNotSentYet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{but(map[string]string{"t2": "busy", "t3": "busy"})}
	tasks := r.separate(job("a", "t1", "t2", "t3"))
	r.again(tasks[0])
	r.cancel("a")
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 1, wire.Canceled: 2})
	if n := len(r.vendor.sizes()); n != 1 {
		t.Errorf("%d requests were made, want 1", n)
	}
}

func TestARequestThatIsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most  int // tokens that the vendor takes
		want  outcomes
		sizes []int
	}{
		"once":                {4, outcomes{wire.Delivered: 8}, []int{8, 4, 4}},
		"down to one":         {1, outcomes{wire.Delivered: 8}, []int{8, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1}},
		"and one is too many": {0, outcomes{wire.Dropped: 8}, []int{8, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.vendor.always = most(c.most)
			tasks := r.separate(job("a", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"))
			if again := r.again(tasks[0]); again.Counted || again.At.After(r.clock.now()) {
				t.Errorf("halved at %v, counted=%v, want at once and not counted", again.At, again.Counted)
			}
			r.finish(tasks...)
			r.want("a", c.want)
			if got := r.vendor.sizes(); !slices.Equal(got, c.sizes) {
				t.Errorf("requests have %v tokens, want %v", got, c.sizes)
			}
		})
	}
}

// most refuses requests with more tokens than n.
func most(n int) reply {
	return func(q *vendors.Request) (vendors.Answer, error) {
		if len(q.Tokens) > n {
			return say("split")(q)
		}
		return say("ok")(q)
	}
}

func TestATaskWithoutSettingsWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Account = func(string, string) (*account.Account, bool) { return nil, false }
	d := dispatch.New(r.cfg)
	tasks := r.separate(job("a", "t1"))
	again := r.mustAgain(d.Handle(t.Context(), tasks[0].lane, tasks[0].Task))
	if again.Counted || !again.At.After(r.clock.now()) || !strings.Contains(again.Reason, "shop at nova") {
		t.Errorf("got %+v, want it put back for later, not counted, naming app and vendor", again)
	}
	r.finish(tasks...) // by a worker that has them
	r.want("a", outcomes{wire.Delivered: 1})
}

func TestWhatCannotBeReadIsPutBackOrArchived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(r *rig, t *task)
		dead  bool
	}{
		"a task of a newer version":  {func(_ *rig, t *task) { t.Payload = []byte(`{"v":3,"app":"shop","chunk":"x"}`) }, false},
		"a task that is no JSON":     {func(_ *rig, t *task) { t.Payload = []byte(`hello`) }, true},
		"a chunk of a newer version": {func(r *rig, _ *task) { r.must(r.rdb.SetRange(r.Context(), r.chunk(), 1, "3").Err()) }, false},
		"a chunk that is corrupt":    {func(r *rig, _ *task) { r.must(r.rdb.Set(r.Context(), r.chunk(), "p1x", 0).Err()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tasks := r.separate(job("a", "t1"))
			c.spoil(r, &tasks[0])
			err := r.handle(tasks[0])
			var dead *queue.DeadError
			if err == nil || errors.As(err, &dead) != c.dead {
				t.Errorf("got %v, want archived=%v", err, c.dead)
			}
			if len(r.vendor.sizes()) > 0 {
				t.Error("a request was made")
			}
		})
	}
}

func (r *rig) chunk() string {
	r.Helper()
	keys := r.rdb.Keys(r.Context(), wire.ChunkKey("*")).Val()
	if len(keys) != 1 {
		r.Fatalf("chunks are %v, want one", keys)
	}
	return keys[0]
}

// A message that a newer postrider enqueued may have fields that this one lacks.
func TestAMessageThatCannotBeReadWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.separate(job("a", "t1"))
	raw := r.rdb.Get(t.Context(), r.chunk()).Val()
	r.must(r.rdb.Set(t.Context(), r.chunk(), strings.Replace(raw, `"title"`, `"tltle"`, 1), 0).Err())
	if again := r.again(tasks[0]); again.Counted || !again.At.After(r.clock.now()) {
		t.Errorf("got %+v, want it put back for later", again)
	}
	r.want("a", outcomes{wire.Pending: 1})
}

// The vendor may hold a message for what is left of its time, and knows it by
// one key through all retries.
func TestARequestCarriesTheRestOfItsTimeAndOneKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{say("busy")}
	j := job("a", "t1")
	j.Message.TTL = push.Duration(time.Hour)
	tasks := r.separate(j)
	r.clock.forward(10 * time.Minute)
	r.again(tasks[0])
	r.clock.forward(49 * time.Minute)
	r.finish(tasks...)
	seen := r.vendor.seen()
	if len(seen) != 2 || seen[0].TTL != 50*time.Minute || seen[1].TTL != time.Minute {
		t.Fatalf("%d requests with TTLs %v", len(seen), seen)
	}
	if k := seen[0].Key; k != seen[1].Key || len(k) != 32 || strings.Trim(k, "0123456789abcdef") != "" {
		t.Errorf("keys are %q and %q, want one of 32 hex digits", k, seen[1].Key)
	}
	if got := fmt.Sprint(r.gate.units); got != "[1 1]" {
		t.Errorf("permits were taken for %s", got)
	}
}

// Tokens that the vendor accepted count for the guard: else a few bad tokens among
// many good ones would look as if all were bad.
func TestAcceptedTokensSpeakForTheVendor(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.book.Guard = ledger.Guard{Min: 20, Ratio: 0.9} })
	tokens, bad := make([]string, 100), map[string]string{}
	for i := range tokens {
		tokens[i] = fmt.Sprint("t", i)
		if i < 40 {
			bad[tokens[i]] = "gone"
		}
	}
	r.vendor.replies = []reply{but(bad)}
	r.finish(r.separate(job("a", tokens...))...)
	r.want("a", outcomes{wire.Delivered: 60, wire.Invalid: 40})
	if fed, held := len(r.entries(wire.InvalidStream, "token")), len(r.entries(wire.QuarantineStream, "token")); fed != 40 || held != 0 {
		t.Errorf("%d entries are fed and %d held, want all 40 fed", fed, held)
	}
}
