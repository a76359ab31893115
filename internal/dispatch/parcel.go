package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// near is how far apart two jobs may begin and still share a request: the vendor
// is told one TTL for all, that of the job which ends first. Chunks of version 1
// also have their key by it.
const near = 10 * time.Minute

// span is tokens of one entry of a claim.
type span struct {
	c      *claim
	entry  int
	tokens []string
	at     []int // their places in the claim's states; nil: from first on
	first  int
}

func (s *span) place(i int) int {
	if s.at == nil {
		return s.first + i
	}
	return s.at[i]
}

// parcel is what may go in one request: tokens that get the same message under
// the same idempotency key.
type parcel struct {
	joinKey
	priority push.Priority
	message  *push.Message
	until    time.Time // until when the vendor may hold it: the earliest of its jobs'
	// tag is the idempotency key. It is key or, where the parcel may still take
	// other jobs in, unknown before identify.
	tag string
	// shared: the tag is, or was, that of several jobs. unrecorded: it was drawn,
	// and the chunks that have to tell it are not recorded yet.
	shared, unrecorded bool
	spans              []span
	n                  int
	alone              bool // no other message, and no job that is not parked, may be in its request
}

// joinKey is what parcels that share a request have in common. Different
// messages share by app, vendor and quotas.
type joinKey struct {
	app, vendor, digest string
	// key is the idempotency key under which the tokens may have been sent before,
	// or that they have anyway: they go with no others. "": none was sent yet, and
	// the parcel may join those of other jobs that start near it.
	key    string
	start  int64  // of those without a key, in units of near
	quotas string // of different messages in one request
}

// shipment is the parcels of one request.
type shipment []*parcel

func (s shipment) again(at time.Time, reason string) {
	for _, p := range s.spans() {
		p.c.again(at, reason)
	}
}

// spans are those of all parcels, in the order of the request's tokens.
func (s shipment) spans() []span {
	if len(s) == 1 {
		return s[0].spans
	}
	var all []span
	for _, p := range s {
		all = append(all, p.spans...)
	}
	return all
}

func (s shipment) count() int {
	n := 0
	for _, p := range s {
		n += p.n
	}
	return n
}

// priority is that of the most urgent parcel.
func (s shipment) priority() push.Priority {
	all := push.Priorities()
	return all[slices.IndexFunc(all, func(have push.Priority) bool {
		return slices.ContainsFunc(s, func(p *parcel) bool { return p.priority == have })
	})]
}

// claims are those of all parcels, each once.
func (s shipment) claims() []*claim {
	var all []*claim
	seen := map[*claim]bool{}
	for _, p := range s.spans() {
		if !seen[p.c] {
			seen[p.c] = true
			all = append(all, p.c)
		}
	}
	return all
}

// parcels distributes the claim's unresolved tokens over requests: one for each
// message and idempotency key, cut to the account's limit.
func (c *claim) parcels(a *account.Account, now time.Time) ([]*parcel, error) {
	type group struct {
		message int
		key     string
		start   int64
		alone   bool
	}
	open := map[group]*parcel{}
	seen := map[*parcel]map[string]struct{}{}
	contents := map[int]content{}
	var all []*parcel
	first := 0
	for i, e := range c.open.Chunk.Entries {
		m, err := c.content(contents, e)
		if err != nil {
			return nil, err
		}
		rest := c.unresolved(i, first, e)
		first += len(e.Tokens)
		if len(rest.tokens) == 0 {
			continue
		}
		waits, alone := c.parking(&e, now)
		if waits {
			continue
		}
		for len(rest.tokens) > 0 {
			k, same := c.joinKey(e, m.digest, rest.place(0)), rest.sameKey()
			g := group{e.Message, k.key, k.start, alone}
			p := open[g]
			if p == nil || p.n == c.limit(a, p) || len(c.open.Chunk.Entries) > 1 && twice(seen[p], rest.tokens[:same]) {
				p = c.newParcel(a, k, m.message, e)
				p.shared = c.oldKey(e) || c.storedKey(rest.place(0)) != ""
				p.alone = alone
				open[g] = p
				all = append(all, p)
			}
			part := rest.cut(min(same, c.limit(a, p)-p.n))
			if len(c.open.Chunk.Entries) > 1 {
				remember(seen, p, part.tokens)
			}
			p.add(part, e)
		}
	}
	return all, nil
}

// content is a message as it was read, and what identifies it.
type content struct {
	message *push.Message
	digest  string
}

// content reads the entry's message, once for all entries that have it.
func (c *claim) content(read map[int]content, e wire.Entry) (content, error) {
	if have, ok := read[e.Message]; ok {
		return have, nil
	}
	m, err := push.DecodeMessage([]byte(c.message(e)))
	if err != nil {
		return content{}, fmt.Errorf("message of job %s: %w", e.Job, err)
	}
	read[e.Message] = content{&m, c.digest(e)}
	return read[e.Message], nil
}

func (c *claim) newParcel(a *account.Account, k joinKey, m *push.Message, e wire.Entry) *parcel {
	k.app, k.vendor = a.App, a.Spec.Name
	return &parcel{
		joinKey: k, tag: k.key, priority: c.priority, message: m, until: time.UnixMilli(e.Start).Add(m.HoldFor()),
	}
}

// limit is the most tokens of one request with the parcel's message.
func (c *claim) limit(a *account.Account, p *parcel) int {
	if c.cap > 0 {
		return min(c.cap, a.BatchFor(p.message))
	}
	return a.BatchFor(p.message)
}

// unresolved is the entry's tokens that have no outcome.
func (c *claim) unresolved(entry, first int, e wire.Entry) span {
	s := span{c: c, entry: entry, first: first}
	open := 0
	for _, st := range c.states[first : first+len(e.Tokens)] {
		if st != wire.Resolved {
			open++
		}
	}
	if open == len(e.Tokens) {
		s.tokens = e.Tokens
		return s
	}
	s.tokens, s.at = make([]string, 0, open), make([]int, 0, open)
	for j, t := range e.Tokens {
		if c.states[first+j] != wire.Resolved {
			s.tokens, s.at = append(s.tokens, t), append(s.at, first+j)
		}
	}
	return s
}

// tokens are those of all spans; of a single one without copying.
func (p *parcel) tokens() []string {
	if len(p.spans) == 1 {
		return p.spans[0].tokens
	}
	all := make([]string, 0, p.n)
	for _, s := range p.spans {
		all = append(all, s.tokens...)
	}
	return all
}

// cut takes up to n tokens off the front.
func (s *span) cut(n int) span {
	n = min(n, len(s.tokens))
	head := *s
	head.tokens, s.tokens = s.tokens[:n], s.tokens[n:]
	if s.at == nil {
		s.first += n
	} else {
		head.at, s.at = s.at[:n], s.at[n:]
	}
	return head
}

func (p *parcel) add(s span, e wire.Entry) {
	p.spans = append(p.spans, s)
	p.n += len(s.tokens)
	if at := time.UnixMilli(e.Start).Add(p.message.HoldFor()); at.Before(p.until) {
		p.until = at
	}
}

// merge adds the tokens of a parcel with the same message.
func (p *parcel) merge(q *parcel) {
	p.spans = append(p.spans, q.spans...)
	p.n += q.n
	if q.until.Before(p.until) {
		p.until = q.until
	}
	if q.priority == push.Normal {
		p.priority = push.Normal // never slower than its most urgent part
	}
}

func twice(seen map[string]struct{}, tokens []string) bool {
	for _, t := range tokens {
		if _, ok := seen[t]; ok {
			return true
		}
	}
	return false
}

func remember(seen map[*parcel]map[string]struct{}, p *parcel, tokens []string) {
	m := seen[p]
	if m == nil {
		m = map[string]struct{}{}
		seen[p] = m
	}
	for _, t := range tokens {
		m[t] = struct{}{}
	}
}
