package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// world is one script: what is in Redis, what the vendor does and has seen.
type world struct {
	*tally
	memory *memoryBook
	codes  *classify.Table
	end    chan struct{} // closed when the script is over: every run that hangs then ends
	// running are all runs, including those that hang.
	running sync.WaitGroup

	mu       sync.Mutex
	rnd      *rand.Rand
	calm     bool                 // nothing fails
	multi    bool                 // it takes different messages in one request
	batch    int                  // tokens of a request
	atMost   map[string]bool      // tokens that may be sent once
	doubt    map[string]bool      // sent, with no certain answer
	canceled map[string]time.Time // jobs
	accepted map[string]bool
	gone     map[string]bool
	parked   map[string]time.Time // jobs
	faults   []string
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// chance is true once in n times, and never when all is calm.
func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && w.rnd.IntN(n) == 0
}

func (w *world) pick(words ...string) string { return words[w.rnd.IntN(len(words))] }

// faulty is one worker. After a number of operations it stops in the middle of
// one: for ever, or until goOn.
type faulty struct {
	*world
	d *dispatch.Dispatcher

	lock    sync.Mutex
	left    int // operations until it stops; 0: never
	stopped bool
	thawed  bool
	thaw    chan struct{}
	may     map[string]map[string]bool // tokens that its runs know to be unresolved, by chunk
	final   map[string]bool            // tokens that were answered finally since their chunk was read
}

func (w *world) host(stopAfter int, linger time.Duration) *faulty {
	h := &faulty{world: w, left: stopAfter, thaw: make(chan struct{}), may: map[string]map[string]bool{}, final: map[string]bool{}}
	a := &account.Account{
		App: "shop", Vendor: h, Codes: w.codes, Batch: w.batch, Timeout: 10 * time.Second,
		Spec: vendors.Spec{Name: "nova", Batch: w.batch, Unit: vendors.Tokens},
	}
	if w.multi {
		a.Spec.MaxMixed, a.Vendor = w.batch, faultyMixed{h}
	}
	h.d = dispatch.New(dispatch.Config{
		Book: h, Access: h, Gate: h, Meter: newMeter(), Log: zerolog.Nop(), Linger: linger, Requests: 2,
		Policy:  retry.Policy{Attempts: 3, First: time.Second, Max: time.Minute},
		Account: func(string, string) (*account.Account, bool) { return a, true },
	})
	return h
}

// errGone is returned by operations that outlive their script.
var errGone = errors.New("the script is over")

// op is one operation: the worker may stop in it.
func (h *faulty) op() error {
	h.lock.Lock()
	if h.left > 0 {
		h.left--
		h.stopped = h.left == 0
	}
	stopped := h.stopped
	h.lock.Unlock()
	if stopped {
		select {
		case <-h.thaw:
		case <-h.end:
		}
	}
	select {
	case <-h.end:
		return errGone
	default:
		return nil
	}
}

func (h *faulty) isStopped() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.stopped
}

// goOn lets a worker go on that has stopped.
func (h *faulty) goOn() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.stopped, h.thawed = false, true
	close(h.thaw)
}

func (h *faulty) Load(ctx context.Context, hd wire.Header) (*ledger.Open, error) {
	if err := h.op(); err != nil {
		return nil, err
	}
	if h.chance(30) {
		return nil, errors.New("redis is away")
	}
	o, err := h.memory.Load(ctx, hd)
	if o != nil {
		h.lock.Lock()
		defer h.lock.Unlock()
		open, at := map[string]bool{}, 0
		for _, e := range o.Chunk.Entries {
			for _, t := range e.Tokens {
				open[t] = o.Chunk.States[at] != wire.Resolved && o.Chunk.States[at] != wire.Sent
				delete(h.final, t)
				at++
			}
		}
		h.may[hd.Chunk] = open
	}
	return o, err
}

func (h *faulty) Canceled(ctx context.Context, job string) (bool, error) {
	if err := h.op(); err != nil || h.chance(20) {
		return false, errors.New("redis is away")
	}
	return h.memory.Canceled(ctx, job)
}

func (h *faulty) Recheck(ctx context.Context, loaded []ledger.Loaded) (string, error) {
	if err := h.op(); err != nil || h.chance(20) {
		return "", errors.New("redis is away")
	}
	return h.memory.Recheck(ctx, loaded)
}

func (h *faulty) Fence(ctx context.Context, ref string, ours func(context.Context) (bool, error)) error {
	return h.memory.Fence(ctx, ref, ours)
}

func (h *faulty) List(ctx context.Context, l ledger.Listing) error { return h.memory.List(ctx, l) }

func (h *faulty) Lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) (int, error) {
	return h.memory.Lose(ctx, lane, o, reason)
}

func (h *faulty) Left(ctx context.Context, refs []string) ([]bool, error) {
	return h.memory.Left(ctx, refs)
}

func (h *faulty) Settle(ctx context.Context, steps []*ledger.Step) ([]bool, error) {
	if h.op() != nil {
		return make([]bool, len(steps)), nil
	}
	if h.chance(20) {
		return nil, errors.New("redis is away")
	}
	ok, err := h.memory.Settle(ctx, steps)
	if slices.Contains(ok, false) {
		h.note(recordedLate)
	}
	if h.op() != nil {
		return make([]bool, len(steps)), nil
	}
	if h.chance(20) {
		return nil, errors.New("the answer was lost")
	}
	return ok, err
}

// Access succeeds, or is refused as the vendor would.
func (h *faulty) Access(context.Context, string, string, vendors.Granter, string) (string, error) {
	if h.chance(20) {
		return "", &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: h.word("denied", "flow")}}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint("access-", h.rnd.IntN(3)), nil
}

func (h *faulty) word(words ...string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pick(words...)
}

func (h *faulty) Invalidate(context.Context, string, string, string) error { return nil }

func (h *faulty) Grant(context.Context, time.Time) (vendors.Grant, error) {
	return vendors.Grant{}, errGone
}

func (h *faulty) Admit(context.Context, *account.Account, dispatch.Demand) (dispatch.Admission, error) {
	switch {
	case h.op() != nil || h.chance(30):
		return dispatch.Admission{}, errors.New("redis is away")
	case h.chance(5):
		return dispatch.Admission{Wait: 300 * time.Millisecond, Why: "waiting for the rate limit", Limited: true}, nil
	case h.chance(5):
		return dispatch.Admission{Wait: 3 * time.Second, Why: "waiting for the rate limit", Limited: true}, nil
	case h.chance(15):
		return dispatch.Admission{Wait: 5 * time.Minute, Why: "paused"}, nil
	}
	return dispatch.Admission{}, nil
}

func (h *faulty) Place(_ context.Context, _ *account.Account, w dispatch.Waiting) (time.Duration, error) {
	if h.op() != nil || h.chance(30) {
		return 0, errors.New("redis is away")
	}
	return time.Duration(w.Units+w.Ahead) * time.Millisecond, nil
}

// Answered parks jobs, as the real gate does.
func (h *faulty) Answered(_ context.Context, _ *account.Account, _ dispatch.Admission, findings []dispatch.Finding) []time.Time {
	until := make([]time.Time, len(findings))
	for i, f := range findings {
		if f.Signal.Parks() && !h.chance(20) {
			until[i] = h.park(f.Jobs)
		}
	}
	return until
}

func (h *faulty) park(jobs []dispatch.Job) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := time.Now().Add(time.Duration(1+h.rnd.IntN(5)) * time.Minute)
	for _, j := range jobs {
		h.parked[j.ID] = until
		h.note(parked)
	}
	return until
}

func (h *faulty) Parked(_ context.Context, _ *account.Account, jobs func() []string) (map[string]time.Time, error) {
	if h.op() != nil || h.chance(30) {
		return nil, errors.New("redis is away")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[string]time.Time{}
	for _, j := range jobs() {
		if until, ok := h.parked[j]; ok {
			found[j] = until
		}
	}
	return found, nil
}

func (h *faulty) Try(ctx context.Context, a *account.Account, _ *dispatch.Admission, jobs func() []string) (map[string]time.Time, error) {
	found, err := h.Parked(ctx, a, jobs)
	maps.DeleteFunc(found, func(_ string, until time.Time) bool { return !until.After(time.Now()) })
	return found, err
}

func (h *faulty) Done(context.Context, *account.Account, dispatch.Admission) {}

// Send is the vendor.
func (h *faulty) Send(_ context.Context, r *vendors.Request) (vendors.Answer, error) {
	return h.serve([]*vendors.Request{r})
}

// faultyMixed is a vendor that takes several messages in one request.
type faultyMixed struct{ *faulty }

func (h faultyMixed) SendMixed(_ context.Context, rs []*vendors.Request) (vendors.Answer, error) {
	return h.serve(rs)
}

func (h *faulty) serve(rs []*vendors.Request) (vendors.Answer, error) {
	var tokens []string
	for _, r := range rs {
		tokens = append(tokens, r.Tokens...)
	}
	if err := h.op(); err != nil {
		return vendors.Answer{}, err
	}
	h.receive(tokens)
	a, err, certain, final := h.answer(tokens)
	if e := h.op(); e != nil {
		return vendors.Answer{}, e
	}
	// The answer arrives.
	h.lock.Lock()
	defer h.lock.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, t := range tokens {
		if certain[i] {
			delete(h.doubt, t)
		}
		h.final[t] = final[i]
	}
	return a, err
}

// receive checks that the vendor may be sent these tokens.
func (h *faulty) receive(tokens []string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(tokens) == 0 || len(tokens) > h.batch {
		h.fault("a request has %d tokens, want 1 to %d", len(tokens), h.batch)
	}
	seen, from := map[string]bool{}, map[string]bool{}
	for _, t := range tokens {
		open := false
		for ref, chunk := range h.may {
			open = open || chunk[t]
			if _, has := chunk[t]; has {
				from[ref] = true
			}
		}
		switch {
		case seen[t]:
			h.fault("%s is in a request twice", t)
		case !open:
			h.fault("%s is sent though it is resolved", t)
		case h.final[t]:
			h.fault("%s is sent again after a final answer", t)
		case h.atMost[t] && h.doubt[t]:
			h.fault("%s is sent again though its outcome is unknown", t)
		}
		job, _, _ := strings.Cut(t, "-token-")
		if at, ok := h.canceled[job]; ok && time.Since(at) > time.Second && !h.thawed {
			h.fault("%s is sent %v after its job was canceled", t, time.Since(at))
		}
		seen[t] = true
		h.doubt[t] = true
	}
	if len(from) > 1 {
		h.note(joined)
	}
}

// answers are the codes of a whole request that the vendor draws from.
func answers() []string {
	return []string{"busy", "busy", "slow", "quota", "expired", "rights", "split", "drop", "4711", "dial", "timeout", "broken", "503", "504"}
}

// answer is what the vendor says, and for each token whether it is certain that
// it was not accepted, and whether the answer is final.
func (h *faulty) answer(tokens []string) (a vendors.Answer, err error, certain, final []bool) { //nolint:staticcheck // err belongs beside its answer
	h.mu.Lock()
	defer h.mu.Unlock()
	certain, final = make([]bool, len(tokens)), make([]bool, len(tokens))
	all := func(s []bool, v bool) {
		for i := range s {
			s[i] = v
		}
	}
	if h.calm || h.rnd.IntN(3) > 0 {
		return h.each(tokens, certain, final), nil, certain, final
	}
	code := classify.Code{Level: classify.Response, Code: h.pick(answers()...)}
	h.note("answer " + code.Code)
	switch code.Code {
	case "busy", "slow", "quota", "expired", "rights", "split":
		all(certain, true)
	case "drop":
		all(certain, true)
		all(final, len(tokens) == 1 || !h.multi) // of several messages only one may be wrong
	case "dial":
		code.Level = classify.Transport
		all(certain, true)
		return a, &vendors.Error{Op: "send", Code: code}, certain, final
	case "timeout", "broken":
		code.Level = classify.Transport
		for _, t := range tokens {
			h.accepted[t] = h.accepted[t] || h.rnd.IntN(2) == 0
		}
		return a, &vendors.Error{Op: "send", Code: code}, certain, final
	case "503", "504":
		code.Level = classify.HTTP
		all(certain, code.Code == "503")
	}
	return vendors.Answer{Code: code}, nil, certain, final
}

// each answers success, and something else for some tokens.
func (h *faulty) each(tokens []string, certain, final []bool) vendors.Answer {
	a := vendors.Answer{Code: classify.Code{Level: classify.Response, Code: "ok"}}
	for i, t := range tokens {
		final[i] = true
		if h.rnd.IntN(3) > 0 {
			h.accepted[t] = true
			continue
		}
		word := h.pick("gone", "off", "region", "busy", "4711")
		if h.calm {
			word = "gone"
		}
		a.Tokens = append(a.Tokens, vendors.TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: word}})
		h.note("answer " + word)
		switch word {
		case "gone", "off":
			h.gone[t] = true
		case "busy":
			certain[i], final[i] = true, false
		case "4711":
			final[i] = false
		}
	}
	return a
}
