package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/pkg/push/wire"
)

// maxTake is the most tasks that one round trip takes off a lane.
const maxTake = 16

// source gives tasks to an asynq server. asynq asks for them one by one; source
// takes several at once off a lane that has many, and answers the next questions
// from memory. It gives none of a lane whose slots are all taken, and remembers
// which runs of tasks this process has: see run.
type source struct {
	rdb      redis.UniversalClient
	now      func() time.Time // by Redis's clock
	blocked  func() error     // why no task may be taken now
	log      zerolog.Logger
	self     string // what the ids of this process's runs begin with
	handlers int
	watcher  *watcher
	lanes    map[string]*sourceLane // by asynq's pending key

	mu      sync.Mutex
	runs    map[taskName]*run
	takes   int64
	taking  string // the id of the runs that are being taken just now; "": none are
	inWork  int    // slots that are taken, of all lanes
	waiting int    // runs that wait without a slot
}

// sourceLane is one lane of the server. The source's mu guards it.
type sourceLane struct {
	name          string
	slots, inWork int
	// ready are tasks that were taken off the lane and not given to asynq yet; they
	// have their slots.
	ready []*run
	take  int // how many to take next; 0: one
}

func newSource(c Config, w *watcher, self string) *source {
	return &source{
		rdb: c.Redis, now: c.Now, blocked: c.Blocked, log: c.Log, self: self, handlers: c.Handlers, watcher: w,
		lanes: map[string]*sourceLane{}, runs: map[taskName]*run{},
	}
}

func (s *source) add(lane string, slots int) {
	s.lanes[wire.PendingKey(lane)] = &sourceLane{name: lane, slots: slots}
}

// next returns a task of the lane in asynq's encoding; "": there is none. keys are
// asynq's: pending, paused, active, leases.
func (s *source) next(ctx context.Context, keys []string, l *sourceLane) (string, error) {
	err := s.giveBack(ctx, s.unready(time.Now().Add(-freshFor)))
	msg, n := s.ready(l)
	if n > 0 && err == nil && s.blocked() == nil {
		err = s.take(ctx, keys, l, n)
		// This process may have been frozen meanwhile.
		err = errors.Join(err, s.giveBack(ctx, s.unready(time.Now().Add(-freshFor))))
		msg, _ = s.ready(l)
	}
	return msg, err
}

// ready returns a task that was taken before, or how many to take.
func (s *source) ready(l *sourceLane) (msg string, take int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.ready) > 0 {
		msg, l.ready = l.ready[0].msg, l.ready[1:]
		s.watcher.gave()
		return msg, 0
	}
	if s.watcher.watches(l.name) {
		return "", 0
	}
	return "", min(max(l.take, 1), l.slots-l.inWork, s.handlers-s.inWork)
}

// full reports whether the lane may have no other task in work.
func (s *source) full(l *sourceLane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fullLocked(l)
}

// putOff notes when the handler wants the task to come again.
func (s *source) putOff(r *run, again *AgainError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.again = again
}

func (s *source) againOf(r *run) *AgainError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.again
}
