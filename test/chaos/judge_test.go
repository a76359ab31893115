package chaos

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/internal/ledger"
)

// grace is how long after its answer a request's result is recorded at the
// latest, when nothing is wrong: two cores may be busy with other things.
const grace = 2 * time.Second

// verdict is what came of it all.
type verdict struct {
	rows      [][]any
	twice     map[string]int // reasons of tokens that were accepted more than once
	reasons   map[string]int // of dead letters
	counts    map[string]int
	faults    map[string]int
	done      map[deed]int
	requests  int
	archived  int
	wrong     []string
	tooMany   int
	overtaken int // repetitions that carry no common key
}

func (v *verdict) fault(format string, args ...any) {
	if len(v.wrong) < 40 {
		v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
	} else {
		v.tooMany++
	}
}

// doubt is why a worker may not have known, or not have recorded, what a
// request came to; "" if nothing excuses it.
func (st *stage) doubt(r request) string {
	if strings.HasPrefix(r.fault, lost) {
		return "its answer was " + troubleOf(r.fault)
	}
	if r.to.Sub(r.from) > requestTimeout*4/5 {
		return "its answer came when the worker had given up"
	}
	until := r.to.Add(grace)
	for changed := true; changed; {
		changed = false
		for _, away := range append(st.history.during(theRedis, r.from, until), st.cutOff(r.worker, r.from, until)...) {
			// Records are tried again with growing waits, of 5 s at the most.
			if again := away.to.Add(7 * time.Second); again.After(until) {
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
			return "its worker was frozen meanwhile"
		case i.what == "terminated" && until.After(r.to.Add(grace)):
			return "its worker was stopped while Redis was away"
		}
	}
	return ""
}

// cutOff is what the interval is called in which a worker's network is broken.
const cutOff = "cut off"

// cutOff is when a worker was cut off from Redis.
func (st *stage) cutOff(worker int, from, to time.Time) []interval {
	return slices.DeleteFunc(st.history.during(worker, from, to), func(i interval) bool { return i.what != cutOff })
}

// judge holds the ledgers, the streams and the vendors' memory against each other.
func (st *stage) judge(waves []*wave) *verdict {
	feed, _ := st.stream("postrider:invalid", "token")
	dead, reasons := st.stream("postrider:dead", "tokens")
	v := &verdict{
		twice: map[string]int{}, reasons: reasons, counts: st.counts, faults: map[string]int{}, done: st.done,
		wrong: st.wrong, archived: st.archived(), requests: len(st.witness.requests),
	}
	for _, r := range st.witness.requests {
		if r.fault != "" {
			v.faults[troubleOf(r.fault)]++
		}
	}
	known := map[string]bool{}
	for _, w := range waves {
		if !st.enqueue[w.name] {
			continue
		}
		st.judgeWave(v, w, feed, dead, known)
	}
	for token := range feed {
		if !known[token] {
			v.fault("the feed has %s, which nobody enqueued", token)
		}
	}
	for _, h := range st.hands {
		v.wrong = append(v.wrong, h.complaints()...)
	}
	report := st.sim.Report()
	for name, r := range report.Vendors {
		for _, one := range r.Violations {
			v.fault("%s: a violation of the vendor's protocol at %s: %s", name, one.Endpoint, one.What)
		}
	}
	for _, key := range st.remains() {
		v.fault("%s remains", key)
	}
	if n := len(st.keys("asynq:{*}:t:*")); n != v.archived {
		v.fault("%d asynq tasks remain, %d of them archived", n, v.archived)
	}
	return v
}

// fate is what is known of one token.
type fate struct {
	accepted, certain bool
	invalid           bool // a vendor called it invalid
	toldInvalid       bool // and nothing kept the worker from knowing
	// believed: the vendor knew the repeated request and said that all is well.
	// It does not say again which tokens were invalid: vivo, by its requestId.
	believed  bool
	refused   bool // a vendor called it too large by itself
	fed, dead int
}

func (st *stage) fate(token string, feed, dead map[string]int) fate {
	f := fate{fed: feed[token], dead: dead[token], refused: st.witness.refused[token]}
	for _, n := range st.witness.accepted[token] {
		f.accepted = true
		f.certain = f.certain || st.doubt(st.witness.requests[n]) == ""
	}
	forgives := false
	for _, n := range st.witness.invalid[token] {
		r := st.witness.requests[n]
		f.invalid, forgives = true, r.vendor == "vivo"
		f.toldInvalid = f.toldInvalid || st.doubt(r) == ""
	}
	f.believed = forgives && f.invalid && !f.toldInvalid && f.fed == 0 && f.dead == 0
	return f
}

func (st *stage) judgeWave(v *verdict, w *wave, feed, dead map[string]int, known map[string]bool) {
	sum := st.ledgers(w)
	var all tally
	duplicates := 0
	for _, tokens := range w.tokens {
		for _, token := range tokens {
			known[token] = true
			f := st.fate(token, feed, dead)
			st.judgeToken(v, w, token, f)
			all.add(f)
			duplicates += st.repeated(v, w, token)
		}
	}
	st.judgeSums(v, w, sum, all)
	v.rows = append(v.rows, []any{w.name, w.kind, sum.Accepted, sum.Delivered, sum.Invalid, sum.Dropped, sum.Expired, sum.Dead, sum.Canceled, all.delivered, duplicates, w.tries})
	if w.canceled.IsZero() {
		return
	}
	if last := st.witness.latest[w.name]; last != nil && last.at.After(w.canceled.Add(time.Second)) &&
		len(st.history.during(last.worker, w.canceled, last.at)) == 0 {
		v.fault("%s was sent %v after it was canceled", w.name, last.at.Sub(w.canceled))
	}
}

func (st *stage) judgeToken(v *verdict, w *wave, token string, f fate) {
	ended := w.kind == canceled || w.kind == expiring
	switch {
	case !ended && !f.accepted && !f.believed && !f.refused && f.fed == 0 && f.dead == 0:
		v.fault("%s is lost: no vendor accepted it, and it is neither invalid nor dead", token)
	case f.fed > 0 && !f.invalid:
		v.fault("%s is in the feed, and no vendor called it invalid", token)
	case f.fed > 1:
		v.fault("%s is in the feed %d times", token, f.fed)
	case f.dead > 1:
		v.fault("%s died %d times", token, f.dead)
	case f.fed > 0 && f.dead > 0:
		v.fault("%s is in the feed and died", token)
	case f.certain && f.dead > 0:
		v.fault("%s died, though a vendor had accepted it and nothing kept the worker from knowing", token)
	case f.toldInvalid && f.fed == 0:
		v.fault("%s was called invalid and is not in the feed", token)
	}
}

// repeated judges the acceptances after a token's first, and counts them.
func (st *stage) repeated(v *verdict, w *wave, token string) int {
	times := st.witness.accepted[token]
	for i := 1; i < len(times); i++ {
		first, second := st.witness.requests[times[i-1]], st.witness.requests[times[i]]
		why := st.doubt(first)
		switch {
		case w.once[token]:
			v.fault("%s is at-most-once and was accepted %d times (%s)", token, len(times), why)
		case why == "":
			v.fault("%s was accepted twice without a reason: at %s by worker %d, at %s by worker %d",
				token, st.clock(first.from), first.worker, st.clock(second.from), second.worker)
		case !sameKey(first, second):
			v.overtaken++
			v.fault("%s was repeated with another idempotency key: %q, then %q", token, first.keys, second.keys)
		}
		v.twice[why]++
	}
	return max(0, len(times)-1)
}

// tally counts tokens by what should have become of them.
type tally struct{ delivered, certain, invalid, dead, refused int }

func (t *tally) add(f fate) {
	t.delivered += count(f.accepted && f.dead == 0 || f.believed)
	t.certain += count(f.certain)
	t.invalid += f.fed
	t.dead += f.dead
	t.refused += count(f.refused)
}

func (st *stage) judgeSums(v *verdict, w *wave, sum ledger.Status, all tally) {
	whole := sum.Delivered + sum.Invalid + sum.Dropped + sum.Expired + sum.Dead + sum.Canceled
	ended := w.kind == canceled || w.kind == expiring
	switch {
	case sum.Accepted != w.n || whole != w.n || sum.Pending != 0:
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

func (st *stage) clock(at time.Time) string { return fmt.Sprintf("%.2fs", at.Sub(st.begun).Seconds()) }

// report is the table that is printed.
func (v *verdict) report() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "wave\t\taccepted\tdelivered\tinvalid\tdropped\texpired\tdead\tcanceled\tvendors took\trepeated\tenqueues\t")
	for _, row := range v.rows {
		for _, cell := range row {
			fmt.Fprintf(t, "%v\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "\n%d requests with tokens, %d archived tasks\n", v.requests, v.archived)
	list(&b, "deeds", stringKeys(v.done))
	list(&b, "faults fired", v.faults)
	list(&b, "tokens that were accepted again, by what became of the request before", v.twice)
	list(&b, "dead tokens", v.reasons)
	list(&b, "besides", v.counts)
	if v.tooMany > 0 {
		v.wrong = append(v.wrong, fmt.Sprintf("and %d more", v.tooMany))
	}
	return b.String()
}

func stringKeys(m map[deed]int) map[string]int {
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
