package queue

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// blockFor is how long one wait for a task takes at most: an idle lane
	// costs one command in this time.
	blockFor = 5 * time.Second
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
// It also answers "empty" for a lane that has its share of the handlers in work.
type waiter struct {
	redis.UniversalClient
	// pipe sends what many goroutines ask at once in one go.
	pipe  redis.UniversalClient
	block redis.UniversalClient

	mu    sync.Mutex
	lanes map[string]*waitLane // by asynq's pending key
	empty int                  // empty answers in a row

	wake chan struct{} // a lane may have a task
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// waitLane is one queue of the server.
type waitLane struct {
	name          string
	room, inWork  int
	arm           chan struct{} // asks for a wait
	armed, paused bool
	woke          bool // a wait ended; the next look must find a task
}

func newWaiter(rdb, pipe, block redis.UniversalClient) *waiter {
	return &waiter{
		UniversalClient: rdb, pipe: pipe, block: block, lanes: map[string]*waitLane{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (w *waiter) add(lane string, room int) {
	w.lanes[wire.PendingKey(lane)] = &waitLane{name: lane, room: room, arm: make(chan struct{}, 1)}
}

func (w *waiter) start() {
	for key, l := range w.lanes {
		w.wg.Go(func() { w.watch(key, l) })
	}
}

func (w *waiter) stop() { w.once.Do(func() { close(w.done) }) }

// leave gives a handler back to its lane.
func (w *waiter) leave(lane string) {
	w.mu.Lock()
	l := w.lanes[wire.PendingKey(lane)]
	full := l.inWork >= l.room
	l.inWork--
	w.mu.Unlock()
	if full {
		w.signal()
	}
}

func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// EvalSha runs a script; asynq's look for a task may wait.
func (w *waiter) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return w.look(ctx, keys, func(c redis.Scripter) *redis.Cmd { return c.EvalSha(ctx, sha, keys, args...) })
}

// Eval runs a script that Redis does not have yet.
func (w *waiter) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return w.look(ctx, keys, func(c redis.Scripter) *redis.Cmd { return c.Eval(ctx, script, keys, args...) })
}

// look runs a script and, if it is asynq's look for a task and found none in
// any lane, waits for one before it says so.
func (w *waiter) look(ctx context.Context, keys []string, run func(redis.Scripter) *redis.Cmd) *redis.Cmd {
	l := w.lanes[keys[0]]
	if l == nil || len(keys) != 4 || !strings.HasSuffix(keys[1], ":paused") {
		return run(w.pipe)
	}
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(redis.Nil)
	if w.worthAsking(l) {
		cmd = run(w.UniversalClient)
	}
	switch cmd.Err() {
	case nil:
		w.found(l)
	case redis.Nil: //nolint:errorlint // asynq compares it so
		w.foundNone(ctx, keys[1], l)
	}
	return cmd
}

func (w *waiter) worthAsking(l *waitLane) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !l.armed && l.inWork < l.room
}

func (w *waiter) found(l *waitLane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.inWork++
	l.woke, l.paused = false, false
	w.empty = 0
}

// foundNone waits if this was the last of the lanes to be empty.
func (w *waiter) foundNone(ctx context.Context, pausedKey string, l *waitLane) {
	w.mu.Lock()
	full := l.inWork >= l.room // leave wakes the server when it no longer is
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
	if l.paused {
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
