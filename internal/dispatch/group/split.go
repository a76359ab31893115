package group

import (
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
)

// Splitter distributes the tokens of one chunk over batches: one for each message
// and idempotency key, cut to the account's limit.
type Splitter[C comparable] struct {
	Account  *account.Account
	Priority push.Priority
	// Cap is the most tokens of one batch, beside the account's limit; 0: no other.
	Cap int
	// Several: the chunk has several entries, so that a token may be in it twice.
	Several bool

	// Batches are those so far.
	Batches []*Batch[C]
	open    map[splitKey]*Batch[C]
	seen    map[*Batch[C]]tokenSet
}

// splitKey is what tokens of one chunk have in common that go in one batch.
type splitKey struct {
	message int // in the chunk
	request string
	start   int64
	alone   bool
}

// Add adds a segment's first n tokens, or fewer if no more fit in their batch, and
// takes them off the segment. k needs neither app nor vendor.
func (s *Splitter[C]) Add(seg *Segment[C], n int, k Key, m *push.Message, alone, shared bool) {
	key := splitKey{seg.Entry.Message, k.Request, k.Start, alone}
	b := s.open[key]
	if b == nil || b.Count >= s.limit(m) || s.Several && s.seen[b].hasAny(seg.Tokens[:n]) {
		b = s.begin(key, k, m, seg)
		b.Alone, b.Shared = alone, shared
	}
	part := seg.cut(min(n, s.limit(m)-b.Count))
	if s.Several {
		s.remember(b, part.Tokens)
	}
	b.add(part)
}

func (s *Splitter[C]) begin(key splitKey, k Key, m *push.Message, seg *Segment[C]) *Batch[C] {
	k.App, k.Vendor = s.Account.App, s.Account.Spec.Name
	b := &Batch[C]{Key: k, Tag: k.Request, Priority: s.Priority, Message: m, HoldUntil: holdUntil(seg.Entry, m)}
	if s.open == nil {
		s.open = map[splitKey]*Batch[C]{}
	}
	s.open[key] = b
	s.Batches = append(s.Batches, b)
	return b
}

// limit is the most tokens of one request with the message.
func (s *Splitter[C]) limit(m *push.Message) int {
	if s.Cap > 0 {
		return min(s.Cap, s.Account.BatchFor(m))
	}
	return s.Account.BatchFor(m)
}

func (s *Splitter[C]) remember(b *Batch[C], tokens []string) {
	if s.seen == nil {
		s.seen = map[*Batch[C]]tokenSet{}
	}
	if s.seen[b] == nil {
		s.seen[b] = tokenSet{}
	}
	s.seen[b].add(tokens)
}
