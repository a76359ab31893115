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

const (
	// blockFor is how long one wait for a task takes at most: an idle lane
	// costs one command in this time.
	blockFor = 5 * time.Second
	// maxBurst is the most tasks that one round trip takes off a lane.
	maxBurst = 16
	// pausedPoll is how often a paused queue, which has tasks but gives none, is looked at.
	pausedPoll = time.Second
)

// waiter is the Redis client that one asynq server is given. asynq asks its
// queues for a task one after another and, when all are empty, sleeps and asks
// again. The waiter watches a queue that was found empty: BLMOVE from a list's
// right end to the same end moves nothing and returns as soon as there is an
// element. Until then it answers "empty" by itself, so that a look for a task
// costs one round trip and not one for every lane; and when all are empty it
// lets the last of these answers wait.
//
// It also answers "empty" for a lane that has its share of the handlers in work,
// and takes several tasks at once off a lane that has many: asynq asks for them
// one by one, and gets those that are already here without a round trip.
type waiter struct {
	redis.UniversalClient
	handlers int
	// pipe sends what many goroutines ask at once in one go.
	pipe  redis.UniversalClient
	block redis.UniversalClient

	now    func() time.Time // by Redis's clock
	hold   func() error     // why no task may be taken now
	log    zerolog.Logger
	self   string               // what the names of this process's looks begin with
	lanes  map[string]*waitLane // by asynq's pending key
	leases map[string]string    // lanes by asynq's lease key

	mu     sync.Mutex
	runs   map[taskName]*run
	guards map[string]*redis.Script // by the hash that asynq knows
	looks  int64
	asking string // the look that is under way
	empty  int    // empty answers in a row
	inWork int    // tasks of all lanes
	parked int    // runs without a place

	due  chan struct{} // a task was put back for a time before the next that is known
	wake chan struct{} // a lane may have a task
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// waitLane is one queue of the server.
type waitLane struct {
	name         string
	room, inWork int
	// ready are tasks that were taken off the lane and not asked for yet; they
	// count as in work.
	ready         []*run
	burst         int           // how many to take next
	arm           chan struct{} // asks for a wait
	armed, paused bool
	woke          bool // a wait ended; the next look must find a task
	// due is when the first task that this process put back is to come; zero: none.
	due time.Time
}

func newWaiter(c Config, pipe redis.UniversalClient, self string) *waiter {
	return &waiter{
		UniversalClient: c.Redis, handlers: c.Handlers, pipe: pipe, block: c.Block, now: c.Now, hold: c.Hold, log: c.Log, self: self,
		lanes: map[string]*waitLane{}, leases: map[string]string{}, runs: map[taskName]*run{}, guards: map[string]*redis.Script{},
		due: make(chan struct{}, 1), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (w *waiter) add(lane string, room int) {
	w.lanes[wire.PendingKey(lane)] = &waitLane{name: lane, room: room, arm: make(chan struct{}, 1)}
	w.leases[wire.LeaseKey(lane)] = lane
}

func (w *waiter) start() {
	for key, l := range w.lanes {
		w.wg.Go(func() { w.watch(key, l) })
	}
	w.wg.Go(w.forwardInTime)
}

func (w *waiter) stop() { w.once.Do(func() { close(w.done) }) }

func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// look answers asynq's look for a task. If there is none in any lane it waits
// for one before it says so.
func (w *waiter) look(ctx context.Context, keys []string, l *waitLane) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	err := w.giveBack(ctx, w.unready(time.Now().Add(-freshFor)))
	msg, n := w.next(l)
	if n > 0 && err == nil && w.hold() == nil {
		err = w.take(ctx, keys, l, n)
		// This process may have been frozen meanwhile.
		err = errors.Join(err, w.giveBack(ctx, w.unready(time.Now().Add(-freshFor))))
		msg, _ = w.next(l)
	}
	if msg == "" && err != nil {
		cmd.SetErr(err)
		return cmd
	}
	if msg == "" {
		w.foundNone(ctx, keys[1], l)
		cmd.SetErr(redis.Nil)
		return cmd
	}
	cmd.SetVal(msg)
	return cmd
}

// next returns a task that is ready, or how many are worth asking for.
func (w *waiter) next(l *waitLane) (msg string, ask int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(l.ready) > 0 {
		msg, l.ready = l.ready[0].msg, l.ready[1:]
		w.empty = 0
		return msg, 0
	}
	if l.armed {
		return "", 0
	}
	return "", min(max(l.burst, 1), l.room-l.inWork, w.handlers-w.inWork)
}

// fullLocked tells whether the lane may have no other task in work. mu is held.
func (w *waiter) fullLocked(l *waitLane) bool { return l.inWork >= l.room || w.inWork >= w.handlers }

// foundNone waits if this was the last of the lanes to be empty.
func (w *waiter) foundNone(ctx context.Context, pausedKey string, l *waitLane) {
	w.mu.Lock()
	full := w.fullLocked(l) // leaveLocked wakes the server when it no longer is
	woke := l.woke && !full
	l.woke = false
	w.empty++
	last := w.empty >= len(w.lanes)
	w.mu.Unlock()
	if woke {
		// There was a task a moment ago: another worker took it, or the queue is paused.
		n, err := w.UniversalClient.Exists(ctx, pausedKey).Result()
		w.mu.Lock()
		l.paused = err == nil && n > 0
		w.mu.Unlock()
	}
	if !full {
		w.arm(l)
	}
	if last {
		w.wait()
	}
}

// arm has the lane watched until it has a task.
func (w *waiter) arm(l *waitLane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !l.armed {
		l.armed = true
		l.arm <- struct{}{}
	}
}

// wait blocks until a lane may have a task.
func (w *waiter) wait() {
	w.mu.Lock()
	w.empty = 0
	w.mu.Unlock()
	t := time.NewTimer(2 * blockFor)
	defer t.Stop()
	select {
	case <-w.wake:
	case <-w.done:
	case <-t.C:
	}
}

// watch waits, whenever it is asked to, until the lane has a task.
func (w *waiter) watch(key string, l *waitLane) {
	for {
		select {
		case <-w.done:
			return
		case <-l.arm:
		}
		for !w.hasTask(key, l) {
			select {
			case <-w.done:
				return
			default:
			}
		}
		w.mu.Lock()
		l.armed, l.woke = false, true
		w.mu.Unlock()
		w.signal()
	}
}

// hasTask blocks until the lane has a task, or for a while.
func (w *waiter) hasTask(key string, l *waitLane) bool {
	w.mu.Lock()
	rest := time.Duration(0)
	if l.paused || w.hold() != nil {
		rest = pausedPoll
	}
	w.mu.Unlock()
	if rest == 0 {
		err := w.block.BLMove(context.Background(), key, key, "RIGHT", "RIGHT", blockFor).Err()
		if err == nil {
			return true
		}
		if err == redis.Nil { //nolint:errorlint // go-redis returns it bare
			return false
		}
		rest = time.Second // Redis is away; asynq says so
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.done:
	}
	return true
}
