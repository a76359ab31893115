package queue

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// blockFor is how long one wait for a task takes at most: an idle lane costs
	// one command in this time.
	blockFor = 5 * time.Second
	// pausedPoll is how often a paused lane, which has tasks but gives none, is
	// looked at.
	pausedPoll = time.Second
)

// watcher wakes an asynq server when one of its lanes has a task. asynq asks its
// lanes for a task one after another and, when all are empty, sleeps and asks
// again. The watcher replaces that sleep: it watches each lane that was found empty
// with BLMOVE from a list's right end to the same end, which moves nothing and
// returns as soon as there is an element. The answer that the last lane is empty
// waits until one of these watches ends.
//
//	         found empty                      has a task
//	asked ----------------> watched lane ----------------> asked again
//	  ^                                                       |
//	  +------------- a task was taken, or it was not ---------+
type watcher struct {
	rdb     redis.UniversalClient
	block   redis.UniversalClient   // has a connection for each lane
	blocked func() error            // why no task may be taken now
	lanes   map[string]*watchedLane // by name

	mu    sync.Mutex
	empty int // answers in a row that a lane is empty

	wake chan struct{} // a lane may have a task
	done chan struct{}
}

// watchedLane is one lane of the server. The watcher's mu guards its flags.
type watchedLane struct {
	name   string
	begin  chan struct{} // asks for a watch
	active bool          // it was found empty and has had no task since
	ended  bool          // a watch ended: the next question must find a task
	paused bool          // an operator paused it
}

func newWatcher(rdb, block redis.UniversalClient, blocked func() error, done chan struct{}) *watcher {
	return &watcher{rdb: rdb, block: block, blocked: blocked, lanes: map[string]*watchedLane{}, wake: make(chan struct{}, 1), done: done}
}

func (w *watcher) add(lane string) {
	w.lanes[lane] = &watchedLane{name: lane, begin: make(chan struct{}, 1)}
}

// signal wakes the server, now or at its next wait.
func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// watches reports whether the lane is known to be empty: then Redis need not be asked.
func (w *watcher) watches(lane string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lanes[lane].active
}

// gave notes that the server was given a task: not all lanes are empty.
func (w *watcher) gave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.empty = 0
}

// took notes that tasks were taken off the lane.
func (w *watcher) took(lane string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes[lane].ended, w.lanes[lane].paused = false, false
}

// foundNone notes that there is no task for the server in a lane, and waits if
// this was the last of the lanes. full: the lane may have no other task in work, so
// it is not watched; the server is woken when it has a free slot.
func (w *watcher) foundNone(ctx context.Context, lane, pausedKey string, full bool) {
	l := w.lanes[lane]
	w.mu.Lock()
	missing := l.ended && !full
	l.ended = false
	w.empty++
	last := w.empty >= len(w.lanes)
	w.mu.Unlock()
	if missing {
		// There was a task a moment ago: another worker took it, or the lane is paused.
		n, err := w.rdb.Exists(ctx, pausedKey).Result()
		w.mu.Lock()
		l.paused = err == nil && n > 0
		w.mu.Unlock()
	}
	if !full {
		w.watch(l)
	}
	if last {
		w.wait()
	}
}

// watch has the lane watched until it has a task.
func (w *watcher) watch(l *watchedLane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !l.active {
		l.active = true
		l.begin <- struct{}{}
	}
}

// wait blocks until a lane may have a task.
func (w *watcher) wait() {
	w.gave() // all lanes are asked again afterwards
	t := time.NewTimer(2 * blockFor)
	defer t.Stop()
	select {
	case <-w.wake:
	case <-w.done:
	case <-t.C:
	}
}

// run watches one lane whenever watch asks for it, until done.
func (w *watcher) run(l *watchedLane) {
	for {
		select {
		case <-w.done:
			return
		case <-l.begin:
		}
		for !w.hasTask(l) {
			select {
			case <-w.done:
				return
			default:
			}
		}
		w.mu.Lock()
		l.active, l.ended = false, true
		w.mu.Unlock()
		w.signal()
	}
}

// hasTask blocks until the lane has a task and returns true, or returns false after
// blockFor. It also returns true, after a pause, where BLMOVE cannot tell: the lane
// is paused, no task may be taken, or Redis does not answer.
func (w *watcher) hasTask(l *watchedLane) bool {
	w.mu.Lock()
	pause := time.Duration(0)
	if l.paused || w.blocked() != nil {
		pause = pausedPoll
	}
	w.mu.Unlock()
	if pause == 0 {
		key := wire.PendingKey(l.name)
		err := w.block.BLMove(context.Background(), key, key, "RIGHT", "RIGHT", blockFor).Err()
		if err == nil {
			return true
		}
		if err == redis.Nil { //nolint:errorlint // go-redis returns it bare
			return false
		}
		pause = time.Second // asynq reports the fault
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.done:
	}
	return true
}
