package dispatch

import (
	"context"
	"sync"

	"github.com/postrider/postrider/pkg/push"
)

// wideChunks is how many chunks of one lane with many messages each are sent at
// once. More would not be faster, since they share the slots, but their answers
// would be recorded one by one instead of many together.
const wideChunks = 2

// slots bounds the requests in flight at each vendor. An eighth of them is for
// high priority alone.
type slots struct {
	limit   int
	mu      sync.Mutex
	vendors map[string]*vendorSlots
}

type vendorSlots struct {
	all, low chan struct{}
	wide     map[push.Priority]chan struct{}
}

func (s *slots) of(vendor string) *vendorSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vendors == nil {
		s.vendors = map[string]*vendorSlots{}
	}
	v := s.vendors[vendor]
	if v == nil {
		v = &vendorSlots{
			all: make(chan struct{}, s.limit), low: make(chan struct{}, max(1, s.limit-s.limit/8)),
			wide: map[push.Priority]chan struct{}{},
		}
		for _, p := range push.Priorities() {
			v.wide[p] = make(chan struct{}, wideChunks)
		}
		s.vendors[vendor] = v
	}
	return v
}

// enter waits for a slot; false means that the task is to go back.
func (s *slots) enter(ctx context.Context, draining <-chan struct{}, vendor string, p push.Priority) bool {
	v := s.of(vendor)
	if p != push.High && !take(ctx, draining, v.low) {
		return false
	}
	if take(ctx, draining, v.all) {
		return true
	}
	if p != push.High {
		<-v.low
	}
	return false
}

func (s *slots) leave(vendor string, p push.Priority) {
	v := s.of(vendor)
	<-v.all
	if p != push.High {
		<-v.low
	}
}

func take(ctx context.Context, draining <-chan struct{}, c chan<- struct{}) bool {
	select {
	case <-draining:
		return false
	default:
	}
	select {
	case c <- struct{}{}:
		return true
	case <-draining:
		return false
	case <-ctx.Done():
		return false
	}
}
