package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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

	mu     sync.Mutex
	lanes  map[string]*waitLane // by asynq's pending key
	empty  int                  // empty answers in a row
	inWork int                  // tasks of all lanes

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
	ready         []string
	burst         int           // how many to take next
	arm           chan struct{} // asks for a wait
	armed, paused bool
	woke          bool // a wait ended; the next look must find a task
}

func newWaiter(rdb, pipe, block redis.UniversalClient, handlers int) *waiter {
	return &waiter{
		UniversalClient: rdb, handlers: handlers, pipe: pipe, block: block, lanes: map[string]*waitLane{},
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

// giveBackScript puts a task that was taken and not begun back to the front of
// its lane, as asynq does at its shutdown. Sent again, because its reply was lost,
// it leaves the task to the worker that has taken it by then.
//
//	KEYS: active, lease, pending, task
//	ARGV: task id, name of this call
var giveBackScript = redis.NewScript(`
if redis.call('HGET', KEYS[4], 'back') == ARGV[2] then return 1 end
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[4], 'state', 'pending', 'back', ARGV[2])
return 1
`)

// giveBack puts back what asynq, which asks for no more tasks, did not ask for.
func (w *waiter) giveBack(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, l := range w.lanes {
		for _, msg := range slices.Backward(l.ready) {
			t, _, err := wire.DecodeTask([]byte(msg))
			if err != nil {
				continue
			}
			keys := []string{wire.ActiveKey(l.name), wire.LeaseKey(l.name), wire.PendingKey(l.name), wire.TaskKey(l.name, t.ID)}
			if err := giveBackScript.Run(ctx, w.UniversalClient, keys, t.ID, rand.Text()[:12]).Err(); err != nil {
				errs = append(errs, fmt.Errorf("give task %s back: %w", t.ID, err))
			}
			l.inWork--
			w.inWork--
		}
		l.ready = nil
	}
	return errors.Join(errs...)
}

// leave gives a handler back to its lane.
func (w *waiter) leave(lane string) {
	w.mu.Lock()
	l := w.lanes[wire.PendingKey(lane)]
	full := l.inWork >= l.room
	l.inWork--
	w.inWork--
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
	msg, n := w.next(l)
	cmd := redis.NewCmd(ctx)
	switch {
	case msg != "":
		cmd.SetVal(msg)
		return cmd
	case n > 0:
		cmd = w.take(ctx, l, n, run)
	default:
		cmd.SetErr(redis.Nil)
	}
	if cmd.Err() == redis.Nil { //nolint:errorlint // asynq compares it so
		w.foundNone(ctx, keys[1], l)
	}
	return cmd
}

// next returns a task that is ready, or how many are worth asking for.
func (w *waiter) next(l *waitLane) (msg string, ask int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(l.ready) > 0 {
		msg, l.ready = l.ready[0], l.ready[1:]
		w.empty = 0
		return msg, 0
	}
	if l.armed {
		return "", 0
	}
	return "", min(max(l.burst, 1), l.room-l.inWork, w.handlers-w.inWork)
}

// take asks Redis n times at once and answers the first task; the others are
// ready for when asynq asks again.
func (w *waiter) take(ctx context.Context, l *waitLane, n int, run func(redis.Scripter) *redis.Cmd) *redis.Cmd {
	var cmds []*redis.Cmd
	if n == 1 {
		cmds = append(cmds, run(w.UniversalClient))
	} else {
		_, _ = w.Pipelined(ctx, func(p redis.Pipeliner) error { // its error is only the first of theirs
			for range n {
				cmds = append(cmds, run(p))
			}
			return nil
		})
	}
	return w.found(l, cmds)
}

// found notes what was taken, and answers the first task, or why there is none.
func (w *waiter) found(l *waitLane, cmds []*redis.Cmd) *redis.Cmd {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, all := cmds[0], 0
	for _, cmd := range cmds {
		msg, err := cmd.Text()
		if err != nil {
			continue
		}
		if all++; all == 1 {
			first = cmd
		} else {
			l.ready = append(l.ready, msg)
		}
		if _, _, err := wire.DecodeTask([]byte(msg)); err == nil { // else asynq says so, and no handler will leave
			l.inWork++
			w.inWork++
		}
	}
	if all > 0 {
		l.woke, l.paused = false, false
		w.empty = 0
	}
	l.burst = 1
	if all == len(cmds) {
		l.burst = min(2*all, maxBurst)
	}
	return first
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
