// Package group decides which tokens share a request. It knows messages, tokens,
// idempotency keys, and the limits of an account:
//
//	chunk ── Splitter ──► batches: one message and one key each, cut to the account's limit
//	                         │
//	           large chunk ──┼── small task
//	                         ▼        ▼
//	                       Mix     Gatherer, which waits for other small tasks
//	                         │        │
//	                         ▼        ▼
//	                       Batches of one request
//
// It does not know ledgers, permits, or how a request is made. Whose tokens they
// are, the type parameter C, is only passed through.
package group

import (
	"slices"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Segment is tokens of one entry of a chunk.
type Segment[C comparable] struct {
	Owner C // of the chunk
	Entry *wire.Entry
	Index int // of Entry in the chunk
	// Tokens are those of the segment; Place says which of the chunk's they are.
	Tokens []string
	places []int // in the chunk; nil: from first on
	first  int
}

// Whole is the segment of tokens that follow each other in the chunk, of which
// the first has place first.
func Whole[C comparable](owner C, e *wire.Entry, index int, tokens []string, first int) Segment[C] {
	return Segment[C]{Owner: owner, Entry: e, Index: index, Tokens: tokens, first: first}
}

// Some is the segment of tokens with a place each.
func Some[C comparable](owner C, e *wire.Entry, index int, tokens []string, places []int) Segment[C] {
	return Segment[C]{Owner: owner, Entry: e, Index: index, Tokens: tokens, places: places}
}

// Place is the place of the segment's token i among all tokens of the chunk.
func (s *Segment[C]) Place(i int) int {
	if s.places == nil {
		return s.first + i
	}
	return s.places[i]
}

// cut takes up to n tokens off the front.
func (s *Segment[C]) cut(n int) Segment[C] {
	n = min(n, len(s.Tokens))
	head := *s
	head.Tokens, s.Tokens = s.Tokens[:n], s.Tokens[n:]
	if s.places == nil {
		s.first += n
	} else {
		head.places, s.places = s.places[:n], s.places[n:]
	}
	return head
}

// Key is what tokens in one batch have in common.
type Key struct {
	App, Vendor string
	Digest      string // of the message
	// Request is the idempotency key under which the tokens may have been sent
	// before, or that they have anyway: they share a request with no others. "":
	// none was sent yet, and they may share one with other jobs that start near them.
	Request string
	Start   int64 // of tokens without a Request: when their jobs start, in units of Near
}

// Near is how far apart two jobs may begin and still share a request: the vendor
// is told one TTL for all, that of the job which ends first. Chunks of version 1
// also have their idempotency key by it.
const Near = 10 * time.Minute

// Batch is tokens that get the same message under the same idempotency key.
type Batch[C comparable] struct {
	Key
	Priority push.Priority
	Message  *push.Message
	// KeepUntil is until when the vendor may hold the message: the earliest time of
	// its jobs.
	KeepUntil time.Time
	// Tag is the idempotency key of the request. It is Key.Request or, where the
	// batch may still take other jobs in, unknown until the request is made.
	Tag string
	// Shared: the tag is, or was, that of several jobs.
	Shared bool
	// Unrecorded: the tag was drawn, and the chunks concerned do not have it yet.
	Unrecorded bool
	// Exclusive: no other message, and no other job, may be in the request.
	Exclusive bool
	Segments  []Segment[C]
	Count     int // of tokens
}

// Tokens are those of all segments; of a single one without copying.
func (b *Batch[C]) Tokens() []string {
	if len(b.Segments) == 1 {
		return b.Segments[0].Tokens
	}
	all := make([]string, 0, b.Count)
	for _, s := range b.Segments {
		all = append(all, s.Tokens...)
	}
	return all
}

// Job returns the batch's only job, or that it has several.
func (b *Batch[C]) Job() (job string, several bool) {
	for i := range b.Segments {
		switch has := b.Segments[i].Entry.Job; {
		case job == "":
			job = has
		case job != has:
			return "", true
		}
	}
	return job, false
}

// Keep keeps the segments for which keep returns true, and reports whether any
// other was taken out.
func (b *Batch[C]) Keep(keep func(*Segment[C]) bool) (removed bool) {
	var left []Segment[C]
	for i := range b.Segments {
		s := &b.Segments[i]
		switch kept := keep(s); {
		case !kept && !removed:
			left, removed = append(left, b.Segments[:i]...), true
			b.Count -= len(s.Tokens)
		case !kept:
			b.Count -= len(s.Tokens)
		case removed:
			left = append(left, *s)
		}
	}
	if removed {
		b.Segments = left
	}
	return removed
}

func (b *Batch[C]) add(s Segment[C]) {
	b.Segments = append(b.Segments, s)
	b.Count += len(s.Tokens)
	if at := keepUntil(s.Entry, b.Message); at.Before(b.KeepUntil) {
		b.KeepUntil = at
	}
}

func keepUntil(e *wire.Entry, m *push.Message) time.Time {
	return time.UnixMilli(e.Start).Add(m.Lifetime())
}

// merge adds the tokens of a batch with the same key.
func (b *Batch[C]) merge(other *Batch[C]) {
	b.Segments = append(b.Segments, other.Segments...)
	b.Count += other.Count
	if other.KeepUntil.Before(b.KeepUntil) {
		b.KeepUntil = other.KeepUntil
	}
	if other.Priority == push.Normal {
		b.Priority = push.Normal // never slower than its most urgent part
	}
}

// Batches are those of one request.
type Batches[C comparable] []*Batch[C]

// Segments are those of all batches, in the order of the request's tokens.
func (bs Batches[C]) Segments() []Segment[C] {
	if len(bs) == 1 {
		return bs[0].Segments
	}
	var all []Segment[C]
	for _, b := range bs {
		all = append(all, b.Segments...)
	}
	return all
}

// Count is how many tokens the request has.
func (bs Batches[C]) Count() int {
	n := 0
	for _, b := range bs {
		n += b.Count
	}
	return n
}

// Priority is that of the most urgent batch.
func (bs Batches[C]) Priority() push.Priority {
	all := push.Priorities()
	return all[slices.IndexFunc(all, func(have push.Priority) bool {
		return slices.ContainsFunc(bs, func(b *Batch[C]) bool { return b.Priority == have })
	})]
}

// Owners are those of all segments, each once.
func (bs Batches[C]) Owners() []C {
	segments := bs.Segments()
	if len(segments) == 1 {
		return []C{segments[0].Owner}
	}
	var all []C
	seen := map[C]struct{}{}
	for i := range segments {
		c := segments[i].Owner
		if _, ok := seen[c]; !ok {
			seen[c] = struct{}{}
			all = append(all, c)
		}
	}
	return all
}

// SeveralJobs reports whether the request has tokens of more than one job.
func (bs Batches[C]) SeveralJobs() bool {
	first := bs[0].Segments[0].Entry.Job
	for _, b := range bs {
		if job, several := b.Job(); several || job != first {
			return true
		}
	}
	return false
}

// Expires is when the first of the jobs expires: its tokens are then counted,
// however long the others have to wait.
func (bs Batches[C]) Expires() time.Time {
	segments := bs.Segments()
	first := segments[0].Entry.Expires
	for i := range segments {
		first = min(first, segments[i].Entry.Expires)
	}
	return time.UnixMilli(first)
}

// Keep keeps the segments for which keep returns true, in new Batches without
// those that are empty, and reports whether any other was taken out.
func (bs Batches[C]) Keep(keep func(*Segment[C]) bool) (left Batches[C], removed bool) {
	for _, b := range bs {
		removed = b.Keep(keep) || removed
		if b.Count > 0 {
			left = append(left, b)
		}
	}
	return left, removed
}

// tokenSet is the tokens of a request. A token that is twice in one request
// could not be told apart in the answer.
type tokenSet map[string]struct{}

func (s tokenSet) hasAny(tokens []string) bool {
	for _, t := range tokens {
		if _, ok := s[t]; ok {
			return true
		}
	}
	return false
}

func (s tokenSet) add(tokens []string) {
	for _, t := range tokens {
		s[t] = struct{}{}
	}
}
