package dispatch

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// claim is a chunk in work: what became of its tokens so far, and what of that
// is not recorded yet.
type claim struct {
	header wire.Header
	task   string // its asynq id
	// ours tells whether the task is still this run's; nil: it is not in work.
	ours     func(context.Context) (bool, error)
	open     *ledger.Open
	loaded   time.Time // when the ledgers were last asked, at the earliest
	place    queue.Place
	promise  promise
	vendor   string
	priority push.Priority

	mu     sync.Mutex
	states []byte
	tail   wire.Tail
	left   int // tokens without an outcome
	listed int // the same, as the index of open work has it
	cap    int
	gen    uint32
	step   *ledger.Step // not recorded yet; nil: nothing
	jobs   map[int]int  // entries to indices of step.Jobs
	// busy is closed when the step that is being recorded is; nil: none is.
	busy  chan struct{}
	fresh bool // no step was ever recorded of the chunk, as it was loaded: nothing of it was sent
	lost  bool // another run recorded a step: this one has no say any more
	// intents are the attempts behind tokens that are marked Sent.
	intents map[int]byte

	// parked are the jobs that were parked when the chunk was loaded.
	parked map[string]time.Time

	next    time.Time // when what is left comes again
	held    time.Time // when the gate is to be asked again for the rest
	heldFor string
	counted bool
	reason  string
	dead    int
}

func newClaim(task string, h wire.Header, open *ledger.Open, vendor string, p push.Priority) *claim {
	c := &claim{
		header: h, task: task, open: open, vendor: vendor, priority: p, states: open.Chunk.States, tail: open.Chunk.Tail, cap: open.Chunk.Cap,
		fresh: open.Chunk.Version > 1 && open.Chunk.Gen == 0,
		gen:   open.Chunk.Gen, left: len(open.Chunk.States),
	}
	for _, s := range c.states {
		if s == wire.Resolved {
			c.left--
		}
	}
	c.listed = c.left
	return c
}

// member is the claim's in the index of open work, with so many tokens left.
func (c *claim) member(left int) string {
	o := wire.OpenOf(c.task, c.header)
	o.Tokens = min(o.Tokens, left)
	return o.Encode()
}

// pending returns the step that collects what is to be recorded.
func (c *claim) pending() *ledger.Step {
	if c.step == nil {
		c.step = &ledger.Step{
			Ref: c.open.Ref, Offset: c.open.Chunk.StatesOffset(), App: c.header.App, Vendor: c.vendor,
		}
		c.jobs = map[int]int{}
	}
	return c.step
}

// job returns the entry's part of the step.
func (c *claim) job(entry int) *ledger.JobStep {
	s := c.pending()
	i, ok := c.jobs[entry]
	if !ok {
		i = len(s.Jobs)
		c.jobs[entry] = i
		e := c.open.Chunk.Entries[entry]
		s.Jobs = append(s.Jobs, ledger.JobStep{
			Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{}, Codes: map[string]int{},
		})
	}
	return &s.Jobs[i]
}

// forget takes out a token whose outcome is already in its ledger.
func (c *claim) forget(at int) {
	c.pending()
	c.states[at] = wire.Resolved
	c.left--
}

// verdictRow is a row with what is made of it often.
type verdictRow struct {
	classify.Row
	key  string
	text string
	// asked is when the request was made that it answers: what an invalid token
	// is told to be dead since, since the phone may register meanwhile.
	asked time.Time
	// until is when the jobs go on that the gate parked for the row; zero: none.
	until time.Time
}

// resolve notes that a token has its outcome.
func (c *claim) resolve(at int) {
	c.states[at] = wire.Resolved
	c.left--
}

// end gives a token an outcome other than delivered. row is what the vendor said, nil if it was not asked.
func (c *claim) end(entry, at int, token string, d retry.Decision, row *verdictRow) {
	detail := ""
	if row != nil {
		detail = row.text
	}
	c.endWith(entry, at, token, d, row, detail)
}

// endWith is end with the detail of the dead letter, if the outcome is one.
func (c *claim) endWith(entry, at int, token string, d retry.Decision, row *verdictRow, detail string) {
	j := c.job(entry)
	j.Outcomes[d.Outcome]++
	if row != nil && row.Remedy == classify.DropToken {
		c.step.Answered++ // what a refused message comes to says nothing of its tokens
	}
	attempts := int(c.states[at])
	if row != nil {
		attempts++
	}
	c.resolve(at)
	switch d.Outcome {
	case wire.Invalid:
		c.step.Invalid = append(c.step.Invalid, ledger.InvalidToken{
			App: c.header.App, Vendor: c.vendor, Token: token, Code: row.key, Reason: row.reason(), Job: j.Job, Action: string(row.Action),
			At: row.asked,
		})
	case wire.Dead:
		c.dead++
		c.letter(entry, at, token, d.Reason, detail, attempts, row)
	case wire.Delivered, wire.Dropped, wire.Expired, wire.Canceled, wire.Pending:
	}
}

// reason is the vendor's own words, or the table's.
func (r *verdictRow) reason() string {
	if r.text != "" {
		return r.text
	}
	return r.Meaning
}

// letter adds a token to the dead letter of its entry and reason.
func (c *claim) letter(entry, at int, token string, reason wire.DeadReason, detail string, attempts int, row *verdictRow) {
	e := c.open.Chunk.Entries[entry]
	letter := ledger.DeadLetter{
		App: c.header.App, Vendor: c.vendor, Job: e.Job, Reason: reason, Detail: detail, Attempts: attempts,
		Message: c.message(e), Priority: string(c.priority), Delivery: string(push.AtLeastOnce), Start: e.Start, Expires: e.Expires,
	}
	if e.AtMostOnce {
		letter.Delivery = string(push.AtMostOnce)
	}
	if attempts >= wire.Sent {
		letter.Attempts = 1
	}
	if row != nil {
		letter.Code, letter.Class = row.key, string(row.Class)
	}
	letter.Key = c.letterKey(e, at)
	dead := c.step.Dead
	if n := len(dead); n > 0 {
		letter.Tokens = dead[n-1].Tokens
		if dead[n-1] == letter { // all else is the same
			dead[n-1].Tokens += "\n" + token
			return
		}
	}
	letter.Tokens = token
	c.step.Dead = append(dead, letter)
}

func (c *claim) message(e wire.Entry) string {
	if e.Message < 0 {
		return c.open.Message
	}
	return c.open.Chunk.Messages[e.Message]
}

// again notes when what is left comes again: at the latest time that any of it needs.
func (c *claim) again(at time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.later(at, reason, false)
}

// later is again for who holds the lock.
func (c *claim) later(at time.Time, reason string, counted bool) {
	if at.After(c.next) {
		c.next = at
		c.reason = reason
	}
	c.counted = c.counted || counted
}

// verdict is the handler's answer.
func (c *claim) verdict(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.lost:
		return &queue.AgainError{At: now.Add(time.Second), Reason: ledger.TakenOver}
	case c.left > 0 || c.step != nil || c.busy != nil:
		at, reason := c.due()
		return &queue.AgainError{At: at, Promised: isPromise(reason), Counted: c.counted, Reason: cmp.Or(reason, "its time was up")}
	case c.dead > 0:
		return &queue.DeadError{Reason: strings.TrimSpace(c.reason + " dead letters were written: see enqueue dead list --job")}
	}
	return nil
}

// intend marks a token of an at-most-once job before its request; unmark takes
// the mark back when there is an answer. The attempts behind the token are kept
// beside it meanwhile.
func (c *claim) intend(at int) {
	if c.intents == nil {
		c.intents = map[int]byte{}
	}
	c.intents[at] = c.states[at]
	c.states[at] = wire.Sent
}

func (c *claim) unmark(at int) {
	if s, ok := c.intents[at]; ok {
		c.states[at] = s
		delete(c.intents, at)
	}
}
