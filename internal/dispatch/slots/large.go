package slots

import (
	"context"
	"sync"

	"github.com/postrider/postrider/pkg/push"
)

// largeChunks is how many chunks with several requests each are sent at once of
// one app and lane. More would not be faster, since they share the slots, but
// their answers would be recorded one by one instead of many together.
const largeChunks = 2

type largeKey struct {
	app string
	p   push.Priority
}

// TryLarge lets the request's chunk, which needs several requests, begin if fewer
// than two such chunks of its app and lane are being sent.
func (s *Slots) TryLarge(r Request) (leave func(), ok bool) {
	turns := s.of(r.Vendor).largeTurns(r)
	select {
	case turns <- struct{}{}:
		return sync.OnceFunc(func() { <-turns }), true
	default:
		return nil, false
	}
}

// WaitLarge is TryLarge, but waits for its turn until ctx ends or the Slots are
// draining.
func (s *Slots) WaitLarge(ctx context.Context, r Request) (leave func(), ok bool) {
	turns := s.of(r.Vendor).largeTurns(r)
	select {
	case <-s.draining:
		return nil, false
	default:
	}
	select {
	case turns <- struct{}{}:
		return sync.OnceFunc(func() { <-turns }), true
	case <-s.draining:
	case <-ctx.Done():
	}
	return nil, false
}

func (v *vendorSlots) largeTurns(r Request) chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := largeKey{r.App, r.Priority}
	if v.large[k] == nil {
		v.large[k] = make(chan struct{}, largeChunks)
	}
	return v.large[k]
}
