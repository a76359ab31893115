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
	message   int // in the chunk
	request   string
	start     int64
	exclusive bool
}

// Terms are what tokens are sent with: see the fields of Batch.
type Terms struct {
	Key               Key // without app and vendor
	Message           *push.Message
	Exclusive, Shared bool
}

// Add adds a segment's first n tokens, or fewer if no more fit in their batch, and
// takes them off the segment.
func (s *Splitter[C]) Add(seg *Segment[C], n int, t Terms) {
	k := splitKey{seg.Entry.Message, t.Key.Request, t.Key.Start, t.Exclusive}
	b := s.open[k]
	if b == nil || b.Count >= s.limit(t.Message) || s.Several && s.seen[b].hasAny(seg.Tokens[:n]) {
		b = s.begin(k, t, seg)
	}
	part := seg.cut(min(n, s.limit(t.Message)-b.Count))
	if s.Several {
		s.remember(b, part.Tokens)
	}
	b.add(part)
}

// begin opens a batch for tokens like the segment's.
func (s *Splitter[C]) begin(k splitKey, t Terms, seg *Segment[C]) *Batch[C] {
	b := &Batch[C]{
		Key: t.Key, Tag: t.Key.Request, Priority: s.Priority, Message: t.Message, KeepUntil: keepUntil(seg.Entry, t.Message),
		Exclusive: t.Exclusive, Shared: t.Shared,
	}
	b.App, b.Vendor = s.Account.App, s.Account.Spec.Name
	if s.open == nil {
		s.open = map[splitKey]*Batch[C]{}
	}
	s.open[k] = b
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
