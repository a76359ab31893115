package chaos

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/internal/ledger"
)

// grace is the longest time from a request's answer until its result is recorded,
// without faults, on a busy machine.
const grace = 2 * time.Second

// result is the result of the verification.
type result struct {
	rows      [][]any
	twice     map[string]int // reasons of tokens that were accepted more than once
	reasons   map[string]int // by reason of dead letters
	counts    map[string]int
	faults    map[string]int
	done      map[action]int
	requests  int
	archived  int
	wrong     []string
	tooMany   int
	otherKeys int // repetitions without a common key
}

func (v *result) fault(format string, args ...any) {
	if len(v.wrong) < 40 {
		v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
	} else {
		v.tooMany++
	}
}

// repeatReason returns why a worker may not have got or recorded the result of a
// request; "" if there is no reason, so that the request must not be repeated.
func (st *testbed) repeatReason(r request) string {
	if strings.HasPrefix(r.fault, lost) {
		return "its answer was " + faultKind(r.fault)
	}
	if r.to.Sub(r.from) > requestTimeout*4/5 {
		return "its answer came after the worker's timeout"
	}
	until := r.to.Add(grace)
	for changed := true; changed; {
		changed = false
		for _, broken := range append(st.history.during(redisServer, r.from, until), st.cutOff(r.worker, r.from, until)...) {
			// Recording is retried with growing waits of at most 5 s.
			if again := broken.to.Add(7 * time.Second); again.After(until) {
				until, changed = again, true
			}
		}
	}
	for _, i := range st.history.during(r.worker, r.from, until) {
		switch {
		case i.what == cutOff:
			return "its worker was cut off from Redis before it had recorded the answer"
		case i.what == "killed" && i.from.Before(until):
			return "its worker was killed before it had recorded the answer"
		case i.what == "frozen":
			return "its worker was frozen before it had recorded the answer"
		case i.what == "terminated" && until.After(r.to.Add(grace)):
			return "its worker was stopped while Redis was unreachable"
		}
	}
	return ""
}

// cutOff names the intervals in which a worker's network is broken.
const cutOff = "cut off"

// cutOff returns the intervals in which a worker was cut off from Redis.
func (st *testbed) cutOff(worker int, from, to time.Time) []interval {
	return slices.DeleteFunc(st.history.during(worker, from, to), func(i interval) bool { return i.what != cutOff })
}

// verify compares the ledgers, the streams and what the vendors saw.
func (st *testbed) verify(waves []*wave) *result {
	feed, _ := st.stream("postrider:invalid", "token")
	dead, reasons := st.stream("postrider:dead", "tokens")
	v := &result{
		twice: map[string]int{}, reasons: reasons, counts: st.counts, faults: map[string]int{}, done: st.done,
		wrong: st.wrong, archived: st.archived(), requests: len(st.recorder.requests),
	}
	for _, r := range st.recorder.requests {
		if r.fault != "" {
			v.faults[faultKind(r.fault)]++
		}
	}
	known := map[string]bool{}
	for _, w := range waves {
		if !st.enqueue[w.name] {
			continue
		}
		st.verifyWave(v, w, feed, dead, known)
	}
	for token := range feed {
		if !known[token] {
			v.fault("the feed has %s, which was not enqueued", token)
		}
	}
	for _, h := range st.processes {
		v.wrong = append(v.wrong, h.loggedFaults()...)
	}
	report := st.sim.Report()
	for name, r := range report.Vendors {
		for _, one := range r.Violations {
			v.fault("%s: a violation of the vendor's protocol at %s: %s", name, one.Endpoint, one.What)
		}
	}
	for _, key := range st.leftKeys() {
		v.fault("the key %s is left", key)
	}
	if n := len(st.keys("asynq:{*}:t:*")); n != v.archived {
		v.fault("%d asynq tasks are left, %d of them archived", n, v.archived)
	}
	return v
}

// tokenState is what the test knows of one token.
type tokenState struct {
	accepted, certain bool // certain: and no fault kept the worker from knowing
	invalid           bool // a vendor called it invalid
	knownInvalid      bool // and no fault kept the worker from knowing
	// assumedDelivered: vivo recognized the repeated request by its requestId and
	// answered success, without repeating which tokens were invalid.
	assumedDelivered bool
	refused          bool // a vendor called a request with only this token too large
	fed, dead        int
}

func (st *testbed) tokenState(token string, feed, dead map[string]int) tokenState {
	f := tokenState{fed: feed[token], dead: dead[token], refused: st.recorder.refused[token]}
	for _, n := range st.recorder.accepted[token] {
		f.accepted = true
		f.certain = f.certain || st.repeatReason(st.recorder.requests[n]) == ""
	}
	repeatsSucceed := false
	for _, n := range st.recorder.invalid[token] {
		r := st.recorder.requests[n]
		f.invalid, repeatsSucceed = true, r.vendor == "vivo"
		f.knownInvalid = f.knownInvalid || st.repeatReason(r) == ""
	}
	f.assumedDelivered = repeatsSucceed && f.invalid && !f.knownInvalid && f.fed == 0 && f.dead == 0
	return f
}

func (st *testbed) verifyWave(v *result, w *wave, feed, dead map[string]int, known map[string]bool) {
	sum := st.ledgers(w)
	var all tokenSums
	duplicates := 0
	for _, tokens := range w.tokens {
		for _, token := range tokens {
			known[token] = true
			f := st.tokenState(token, feed, dead)
			st.verifyToken(v, w, token, f)
			all.add(f)
			duplicates += st.repeated(v, w, token)
		}
	}
	st.verifySums(v, w, sum, all)
	v.rows = append(v.rows, []any{w.name, w.kind, sum.Accepted, sum.Delivered, sum.Invalid, sum.Dropped, sum.Expired, sum.Dead, sum.Canceled, all.delivered, duplicates, w.tries})
	if w.canceled.IsZero() {
		return
	}
	if last := st.recorder.latest[w.name]; last != nil && last.at.After(w.canceled.Add(time.Second)) &&
		len(st.history.during(last.worker, w.canceled, last.at)) == 0 {
		v.fault("%s was sent %v after it was canceled", w.name, last.at.Sub(w.canceled))
	}
}

func (st *testbed) verifyToken(v *result, w *wave, token string, f tokenState) {
	ended := w.kind == canceled || w.kind == expiring
	switch {
	case !ended && !f.accepted && !f.assumedDelivered && !f.refused && f.fed == 0 && f.dead == 0:
		v.fault("%s is lost: no vendor accepted it, and it is neither invalid nor dead", token)
	case f.fed > 0 && !f.invalid:
		v.fault("%s is in the feed, but no vendor called it invalid", token)
	case f.fed > 1:
		v.fault("%s is in the feed %d times", token, f.fed)
	case f.dead > 1:
		v.fault("%s is in %d dead letters", token, f.dead)
	case f.fed > 0 && f.dead > 0:
		v.fault("%s is in the feed and in a dead letter", token)
	case f.certain && f.dead > 0:
		v.fault("%s ended dead, but a vendor had accepted it and no fault kept the worker from knowing", token)
	case f.knownInvalid && f.fed == 0:
		v.fault("%s was called invalid, but is not in the feed", token)
	}
}

// repeated checks the acceptances of a token after the first one, and counts them.
func (st *testbed) repeated(v *result, w *wave, token string) int {
	times := st.recorder.accepted[token]
	for i := 1; i < len(times); i++ {
		first, second := st.recorder.requests[times[i-1]], st.recorder.requests[times[i]]
		why := st.repeatReason(first)
		switch {
		case w.once[token]:
			v.fault("%s is at-most-once and was accepted %d times (%s)", token, len(times), why)
		case why == "":
			v.fault("%s was accepted twice without a reason: at %s by worker %d, at %s by worker %d",
				token, st.clock(first.from), first.worker, st.clock(second.from), second.worker)
		case !sameKey(first, second):
			v.otherKeys++
			v.fault("%s was repeated with another idempotency key: %q, then %q", token, first.keys, second.keys)
		}
		v.twice[why]++
	}
	return max(0, len(times)-1)
}

// tokenSums counts tokens by their expected outcome.
type tokenSums struct{ delivered, certain, invalid, dead, refused int }

func (t *tokenSums) add(f tokenState) {
	t.delivered += count(f.accepted && f.dead == 0 || f.assumedDelivered)
	t.certain += count(f.certain)
	t.invalid += f.fed
	t.dead += f.dead
	t.refused += count(f.refused)
}

func (st *testbed) verifySums(v *result, w *wave, sum ledger.Status, all tokenSums) {
	total := sum.Delivered + sum.Invalid + sum.Dropped + sum.Expired + sum.Dead + sum.Canceled
	ended := w.kind == canceled || w.kind == expiring
	switch {
	case sum.Accepted != w.n || total != w.n || sum.Pending != 0:
		v.fault("%s has %d tokens, but its ledger says %+v", w.name, w.n, sum)
	case sum.Invalid != all.invalid:
		v.fault("%s: the ledger counts %d invalid, the feed has %d", w.name, sum.Invalid, all.invalid)
	case sum.Dead != all.dead:
		v.fault("%s: the ledger counts %d dead, the dead letters have %d", w.name, sum.Dead, all.dead)
	case sum.Dropped > all.refused:
		v.fault("%s: the ledger counts %d dropped, the vendors refused %d", w.name, sum.Dropped, all.refused)
	case sum.Delivered > all.delivered || sum.Delivered < all.certain || !ended && sum.Delivered < all.delivered-sum.Dropped:
		v.fault("%s: the ledger says %d delivered, the vendors accepted %d, %d of them without doubt; %+v", w.name, sum.Delivered, all.delivered, all.certain, sum)
	case !ended && sum.Expired+sum.Canceled > 0:
		v.fault("%s: expired or canceled for no reason: %+v", w.name, sum)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (st *testbed) clock(at time.Time) string {
	return fmt.Sprintf("%.2fs", at.Sub(st.begun).Seconds())
}

// report returns the printed report.
func (v *result) report() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "wave\t\taccepted\tdelivered\tinvalid\tdropped\texpired\tdead\tcanceled\tvendors accepted\trepeated\tenqueues\t")
	for _, row := range v.rows {
		for _, cell := range row {
			fmt.Fprintf(t, "%v\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "\n%d requests with tokens, %d archived tasks\n", v.requests, v.archived)
	list(&b, "breakages", stringKeys(v.done))
	list(&b, "faults fired", v.faults)
	list(&b, "tokens that were accepted again, by the fault of the previous request", v.twice)
	list(&b, "tokens that ended dead", v.reasons)
	list(&b, "other events", v.counts)
	if v.tooMany > 0 {
		v.wrong = append(v.wrong, fmt.Sprintf("and %d more", v.tooMany))
	}
	return b.String()
}

func stringKeys(m map[action]int) map[string]int {
	out := map[string]int{}
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

func list(b *strings.Builder, title string, m map[string]int) {
	fmt.Fprintf(b, "%s:\n", title)
	for _, k := range sorted(m) {
		fmt.Fprintf(b, "  %7d  %s\n", m[k], k)
	}
}
