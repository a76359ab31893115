package ledger_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	pending   = wire.Pending
	delivered = wire.Delivered
)

func TestSettleBalancesAfterEveryStep(t *testing.T) {
	t.Parallel()
	type round struct {
		code string
		ends []wire.Outcome
		want ledger.Status
	}
	for name, c := range map[string]struct {
		tokens []string
		rounds []round
	}{
		"a job of one token that is put back twice": {[]string{"t1"}, []round{
			{broken, []wire.Outcome{pending}, ledger.Status{State: "running", Pending: 1, Codes: map[string]int{}}},
			{broken, []wire.Outcome{pending}, ledger.Status{State: "running", Pending: 1, Codes: map[string]int{}}},
			{success, []wire.Outcome{delivered}, ledger.Status{State: "done", Delivered: 1, Codes: map[string]int{success: 1}}},
		}},
		"a job of three tokens": {[]string{"t1", "t2", "t3"}, []round{
			{broken, []wire.Outcome{pending, pending, pending}, ledger.Status{State: "running", Pending: 3, Codes: map[string]int{broken: 3}}},
			{gone, []wire.Outcome{wire.Invalid, wire.Dead, pending}, ledger.Status{State: "running", Pending: 1, Invalid: 1, Dead: 1, Codes: map[string]int{broken: 3, gone: 3}}},
			{success, []wire.Outcome{delivered, delivered, delivered}, ledger.Status{State: "done", Delivered: 1, Invalid: 1, Dead: 1, Codes: map[string]int{broken: 3, gone: 3, success: 1}}},
		}},
		"every outcome": {[]string{"t1", "t2", "t3", "t4"}, []round{
			{gone, []wire.Outcome{wire.Dropped, wire.Expired, wire.Canceled, pending}, ledger.Status{State: "running", Pending: 1, Dropped: 1, Expired: 1, Canceled: 1, Codes: map[string]int{gone: 4}}},
			{gone, []wire.Outcome{"", "", "", wire.Dead}, ledger.Status{State: "done", Dropped: 1, Expired: 1, Canceled: 1, Dead: 1, Codes: map[string]int{gone: 5}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", c.tokens...))
			for i, round := range c.rounds {
				if ok := r.settle(step(r.load(), round.code, round.ends...)); !ok[0] {
					t.Fatalf("step %d was not recorded", i+1)
				}
				want := round.want
				want.Job, want.App, want.Accepted = "a", "shop", len(c.tokens)
				if got := r.status("a"); !equal(got, want) {
					t.Errorf("after step %d the ledger is\n%+v, want\n%+v", i+1, got, want)
				}
			}
		})
	}
}

func equal(a, b ledger.Status) bool {
	codes := maps.Equal(a.Codes, b.Codes)
	a.Codes, b.Codes = nil, nil
	return codes && a.Job == b.Job && a.App == b.App && a.State == b.State && a.Accepted == b.Accepted && a.Pending == b.Pending &&
		!slices.ContainsFunc(wire.Outcomes(), func(o wire.Outcome) bool { return a.Count(o) != b.Count(o) })
}

// A single ledger is one string, which gets its codes with the outcome: one may be
// the beginning of another, or hold what separates them.
func TestTheOutcomeOfASingleJobComesWithItsCodes(t *testing.T) {
	t.Parallel()
	for name, codes := range map[string][]string{
		"the same code again and again":            {broken, broken, broken, broken, broken, broken, broken, broken, broken, broken, broken, broken},
		"a code that begins like an earlier one":   {"huawei/http/503", "huawei/http/50", "huawei/http/503", "huawei/http/50", "huawei/http/50"},
		"a code that an earlier one begins like":   {"huawei/http/50", "huawei/http/503", "huawei/http/50", "huawei/http/503"},
		"three that begin alike":                   {"huawei/http/5033", "huawei/http/503", "huawei/http/50", "huawei/http/50", "huawei/http/503", "huawei/http/5033"},
		"the same number at two levels":            {"meizu/response/110010", "meizu/token/110010", "meizu/response/110010"},
		"a number with a part":                     {"huawei/auth/1203", "huawei/auth/1203/500", "huawei/auth/1203", "huawei/auth/1203/500"},
		"codes with signs that separate":           {"oppo/response/a b", "oppo/response/a=2", "oppo/response/a", "oppo/response/a b", "oppo/response/50%", "oppo/response/a=2"},
		"codes with signs that patterns know":      {"vivo/response/1.1", "vivo/response/1%d", "vivo/response/101", "vivo/response/-(x)*", "vivo/response/-(x)*"},
		"a vendor that has no letter":              {"nova/response/1", "nova/response/1", "nova/response/11"},
		"a level that has no mark":                 {"huawei/gate/1", "huawei/gate/1"},
		"a code that is empty":                     {"huawei/response/", "huawei/response/", "huawei/response/1"},
		"a code that is a word the ledger uses":    {"huawei/response/shop", "huawei/response/p", "huawei/response/shop"},
		"a code that is longer than the ledger is": {"huawei/transport/" + string(make([]byte, 300)), "huawei/transport/timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", "t1"))
			want := map[string]int{}
			for _, code := range codes {
				want[code]++
			}
			for _, code := range codes {
				r.settle(step(r.load(), code, pending))
			}
			if got := r.status("a").Codes; len(got) != 0 {
				t.Errorf("before the outcome the codes are %v, want none", got)
			}
			s := step(r.load(), success, delivered)
			s.Jobs[0].Codes = want
			r.settle(s)
			if got := r.status("a"); !maps.Equal(got.Codes, want) || got.Delivered != 1 {
				t.Errorf("with the outcome the ledger is %+v, want it delivered with the codes %v", got, want)
			}
			if n := r.rdb.StrLen(t.Context(), wire.JobKey("a")).Val(); int(n) > 16+len(codes)*20+300 {
				t.Errorf("the ledger has %d bytes", n)
			}
		})
	}
}

// Earlier versions wrote a single job's codes before its outcome.
func TestCodesThatAPendingSingleLedgerHasAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1"))
	old := wire.Single{Outcome: wire.Pending, App: "shop", Codes: map[string]int{broken: 2, success: 1}}
	r.must(r.rdb.Set(t.Context(), wire.JobKey("a"), old.Encode(), 0).Err())
	r.settle(step(r.load(), broken, pending))
	if got := r.status("a").Codes; !maps.Equal(got, old.Codes) {
		t.Errorf("while it is pending the codes are %v, want %v", got, old.Codes)
	}
	r.settle(step(r.load(), success, delivered))
	if got, want := r.status("a").Codes, map[string]int{broken: 2, success: 2}; !maps.Equal(got, want) {
		t.Errorf("with the outcome the codes are %v, want %v", got, want)
	}
}

// Several answers of one run are counted in one step, codes several at a time.
func TestSettleCountsSeveralCodesInOneStep(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string][]string{"of a single job": {"t1"}, "of a job of several tokens": {"t1", "t2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", tokens...))
			want := map[string]int{"huawei/http/50": 3, "huawei/http/503": 2, "huawei/http/5": 1}
			if len(tokens) > 1 {
				s := step(r.load(), success, pending, pending)
				s.Jobs[0].Codes = maps.Clone(want)
				r.settle(s)
				want = map[string]int{"huawei/http/50": 6, "huawei/http/503": 4, "huawei/http/5": 2}
			}
			s := step(r.load(), success, delivered, pending)
			s.Jobs[0].Codes = map[string]int{"huawei/http/50": 3, "huawei/http/503": 2, "huawei/http/5": 1}
			r.settle(s)
			if got := r.status("a").Codes; !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestTheEndOfAChunkDeletesItAndItsMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stream(job("a", "t1", "t2", "t3", "t4", "t5")) // two chunks
	all := r.headers()
	if len(all) != 2 || !r.exists(wire.MessageKey("a")) {
		t.Fatalf("%d chunks, want 2 and a message", len(all))
	}
	for i, h := range all {
		last := i == len(all)-1
		ends := []wire.Outcome{delivered, delivered, delivered, delivered}
		r.settle(step(r.open(h), success, ends...))
		if r.exists(wire.ChunkKey(h.Chunk)) {
			t.Errorf("chunk %d is still there", i)
		}
		if got := r.exists(wire.MessageKey("a")); got == last {
			t.Errorf("after %d of 2 chunks the message is there: %v, want %v", i+1, got, !last)
		}
	}
	if got := r.status("a"); got.State != "done" || got.Delivered != 5 {
		t.Errorf("got %+v, want 5 delivered and done", got)
	}
}

func TestAFinishedLedgerIsKept(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		tokens       []string
		keep, window time.Duration
		want         time.Duration
	}{
		"a job of several tokens for the default time":        {[]string{"t1", "t2"}, 0, 0, 7 * day},
		"a job of several tokens as configured":               {[]string{"t1", "t2"}, 3 * day, 0, 3 * day},
		"a job of several tokens through a longer window":     {[]string{"t1", "t2"}, 3 * day, 5 * day, 5 * day},
		"a job of several tokens beyond a shorter window":     {[]string{"t1", "t2"}, 3 * day, 2 * day, 3 * day},
		"a single job for a day whatever is configured":       {[]string{"t1"}, 3 * day, 0, day},
		"a single job through a longer window":                {[]string{"t1"}, 3 * day, 2 * day, 2 * day},
		"a single job for a day though the window is shorter": {[]string{"t1"}, 3 * day, time.Hour, day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rigOn(t, redistest.Client(t), c.window)
			r.book.Keep = c.keep
			r.enqueue(job("a", c.tokens...))
			before := r.rdb.TTL(t.Context(), wire.JobKey("a")).Val()
			r.settle(step(r.load(), broken, pending, pending)) // changes nothing about it
			after := r.rdb.TTL(t.Context(), wire.JobKey("a")).Val()
			if after > before || after < before-time.Minute || before < 8*day-time.Minute {
				t.Errorf("a running job's ledger lives for %v, then %v, want a week beyond its expiry", before, after)
			}
			r.settle(step(r.load(), success, delivered, delivered))
			got := r.rdb.TTL(t.Context(), wire.JobKey("a")).Val()
			if got > c.want || got < c.want-time.Minute {
				t.Errorf("kept for %v, want %v", got, c.want)
			}
		})
	}
}

// A job whose tasks are still being enqueued is not over, whatever is settled.
func TestAJobThatIsBeingEnqueuedDoesNotEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stream(job("a", "t1", "t2"))
	r.state("a", wire.Sealed)
	r.settle(step(r.load(), success, delivered, delivered))
	if got := r.status("a"); got.State != "running" || got.Pending != 0 || got.Ended() {
		t.Errorf("got %+v, want a running job", got)
	}
	if !r.exists(wire.MessageKey("a")) {
		t.Error("the message is gone")
	}
}

// What a canceled job had in flight is counted; its state stays.
func TestACanceledJobStaysCanceled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2"))
	r.state("a", wire.Canceling)
	r.settle(step(r.load(), success, delivered, wire.Canceled))
	got := r.status("a")
	if got.State != "canceled" || got.Delivered != 1 || got.Canceled != 1 || !got.Ended() {
		t.Errorf("got %+v, want 1 delivered, 1 canceled and the state canceled", got)
	}
}

// A ledger that was lost is not created again: it could not balance.
func TestSettleOfAJobWithoutALedgerMakesNone(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string][]string{"of a single job": {"t1"}, "of a job of several tokens": {"t1", "t2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", tokens...))
			s := step(r.load(), success, delivered, delivered)
			r.must(r.rdb.Del(t.Context(), wire.JobKey("a")).Err())
			if ok := r.settle(s); !ok[0] {
				t.Error("the step was not recorded")
			}
			if r.exists(wire.JobKey("a")) {
				t.Error("a ledger was made")
			}
		})
	}
}

// A single token has one outcome: a second one, of whatever origin, does nothing.
func TestASettledSingleKeepsItsOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1"))
	s := step(r.load(), gone, wire.Invalid)
	r.set("a", wire.Single{Outcome: wire.Expired, App: "shop", Ended: time.Now(), Codes: map[string]int{broken: 1}})
	r.settle(s)
	if got := r.status("a"); got.Expired != 1 || got.Invalid != 0 || got.Codes[gone] != 0 {
		t.Errorf("got %+v, want the token expired and nothing else", got)
	}
}
