package dispatch

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/dispatch/group"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// What shares a request, of claims.
type (
	segment = group.Segment[*claim]
	batch   = group.Batch[*claim]
	batches = group.Batches[*claim]
)

// claim is a chunk that is being worked: what became of its tokens so far, and
// what of that is not recorded yet (see recorder). It is safe for concurrent use:
// its methods take its lock, except those whose names end in Locked.
type claim struct {
	header wire.Header
	task   string // its asynq id
	// ours reports whether the task is still this run's; nil: it is not being worked.
	ours     func(context.Context) (bool, error)
	open     *ledger.Open
	place    queue.Place
	promise  promise
	vendor   string
	priority push.Priority
	fresh    bool // no step of the chunk was recorded before: nothing of it was sent

	mu     sync.Mutex
	loaded time.Time // when Redis was last asked about the chunk and its jobs, at the earliest
	states []byte    // of each token: wire.Resolved, wire.Sent, or its attempts
	tail   wire.Tail
	left   int // tokens without an outcome
	cap    int // the most tokens of a request; 0: the account's limit
	dead   int // tokens that ended dead
	// intents are the attempts of tokens that are marked Sent.
	intents map[int]byte
	changes changes
	back    comeback
}

func newClaim(task string, h wire.Header, open *ledger.Open, lane string) *claim {
	vendor, priority := wire.SplitLane(lane)
	c := &claim{
		header: h, task: task, open: open, vendor: vendor, priority: push.Priority(priority),
		states: open.Chunk.States, tail: open.Chunk.Tail, cap: open.Chunk.Cap,
		fresh: open.Chunk.Version > 1 && open.Chunk.Gen == 0,
		left:  len(open.Chunk.States),
	}
	for _, s := range c.states {
		if s == wire.Resolved {
			c.left--
		}
	}
	c.changes.gen, c.changes.listed = open.Chunk.Gen, c.left
	return c
}

// token is an unresolved token of a claim.
type token struct {
	entry int // the index of its entry
	at    int // its place in the claim's states
	text  string
}

// unresolvedLocked are the tokens without an outcome. They may be resolved while
// it runs.
func (c *claim) unresolvedLocked() iter.Seq[token] {
	return func(yield func(token) bool) {
		at := 0
		for i := range c.open.Chunk.Entries {
			for _, text := range c.open.Chunk.Entries[i].Tokens {
				if c.states[at] != wire.Resolved && !yield(token{i, at, text}) {
					return
				}
				at++
			}
		}
	}
}

func (c *claim) entry(t token) *wire.Entry { return &c.open.Chunk.Entries[t.entry] }

// remaining is how many tokens have no outcome.
func (c *claim) remaining() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// capped is the most tokens of a request of the chunk; 0: the account's limit.
func (c *claim) capped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cap
}

// jobIDs are the ids of the entries' jobs.
func (c *claim) jobIDs() []string {
	ids := make([]string, len(c.open.Chunk.Entries))
	for i := range ids {
		ids[i] = c.open.Chunk.Entries[i].Job
	}
	return ids
}

// expires is when the first of the jobs expires that have tokens left.
func (c *claim) expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first int64
	for t := range c.unresolvedLocked() {
		if e := c.entry(t); first == 0 || e.Expires < first {
			first = e.Expires
		}
	}
	return time.UnixMilli(first)
}

// member is the claim's in the index of open work, with so many tokens left.
func (c *claim) member(left int) string {
	o := wire.OpenOf(c.task, c.header)
	o.Tokens = min(o.Tokens, left)
	return o.Encode()
}

// asked is when Redis was last asked about the chunk and its jobs, at the earliest.
func (c *claim) asked() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loaded
}

// confirm notes that what Redis said of the chunk was still true at a time.
func (c *claim) confirm(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.loaded) {
		c.loaded = at
	}
}

// stillOurs reports whether nobody else has run the claim's task since this run
// began.
func (c *claim) stillOurs(ctx context.Context) bool {
	if c.ours == nil {
		return false
	}
	ok, err := c.ours(ctx)
	return ok && err == nil
}

// comeback is when, and why, a chunk with tokens left is worked again.
type comeback struct {
	// next is the latest time that any token needs whose wait only the chunk knows;
	// zero: there is none.
	next   time.Time
	reason string
	// gate is when the gate is first to be asked again about tokens that it keeps
	// back; zero: there are none.
	gate       time.Time
	gateReason string
	counted    bool // an attempt counts
}

// due is when the chunk comes back: when the last token whose wait only the chunk
// knows may be sent, else when the gate is to be asked again.
func (b comeback) due() (at time.Time, reason string) {
	if b.next.IsZero() {
		return b.gate, b.gateReason
	}
	return b.next, b.reason
}

// putBack notes that tokens are to be sent again, and not before a time.
func (c *claim) putBack(at time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putBackLocked(at, reason, false)
}

func (c *claim) putBackLocked(at time.Time, reason string, counted bool) {
	if at.After(c.back.next) {
		c.back.next, c.back.reason = at, reason
	}
	c.back.counted = c.back.counted || counted
}

// askGateAt notes that the gate keeps tokens back, and when it is to be asked again.
func (c *claim) askGateAt(at time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.askGateAtLocked(at, reason)
}

func (c *claim) askGateAtLocked(at time.Time, reason string) {
	if c.back.gate.IsZero() || at.Before(c.back.gate) {
		c.back.gate, c.back.gateReason = at, reason
	}
}

// verdict is the handler's result: nil if the chunk is done.
func (c *claim) verdict(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.changes.lost:
		return &queue.AgainError{At: now.Add(time.Second), Reason: ledger.TakenOver}
	case c.left > 0 || !c.changes.done():
		at, reason := c.back.due()
		return &queue.AgainError{At: at, Promised: isPromise(reason), Counted: c.back.counted, Reason: cmp.Or(reason, reasonTimeUp)}
	case c.dead > 0:
		return &queue.DeadError{Reason: strings.TrimSpace(c.back.reason + " " + deadLettersWritten)}
	}
	return nil
}
