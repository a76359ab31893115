// Package queue runs the lanes: one asynq server for each vendor, with a queue for
// each priority, whose tasks run again soon after their worker died, and whose
// archived tasks are always handled.
//
//	             take                       nil
//	pending ------------> active ---------------------> (gone)
//	 ^   ^                |  |  \
//	 |   | forwarder      |  |   +-- *DeadError ------> archived
//	 |   |                |  |                             |
//	 |  retry <-----------+  |  *AgainError             sweeper
//	 |                       |                             v
//	 +------ reaper <--------+  the worker died         Config.EndArchived
//
//	any of them, deleted or lost: finder asks Config.Lost, and enqueues the task again
//
// client is the Redis client that asynq is given: source gives tasks to asynq,
// watcher wakes it, forwarder moves tasks that are due. reaper, sweeper and Finder
// look after tasks whose worker died, that were archived, and that were lost.
//
// It is the only package that knows asynq's API. It does not know what a task
// means; a Handler does, and answers with nil or one of this package's errors.
package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Task is one task of a lane.
type Task struct {
	ID      string
	Payload []byte
	// LastError is why the task was put back before; "": it was not.
	LastError string
	// Ours asks Redis whether the task still belongs to this run: no reaper has claimed
	// it, and no other run has begun or ended. nil for a task that is not in work.
	Ours func(ctx context.Context) (bool, error)
}

// Handler works one task. nil acknowledges it, *AgainError puts it back until a time,
// *DeadError archives it; any other error puts it back with a growing delay. It must
// not return nil before the task's result is recorded.
type Handler func(ctx context.Context, lane string, t Task) error

// AgainError puts a task back until a time.
type AgainError struct {
	At time.Time
	// Promised: the task was given the time At as its turn, so it goes ahead of a backlog
	// then.
	Promised bool
	// Counted: the UI shows a failed attempt. It has no other effect.
	Counted bool
	Reason  string
}

// Error is what the UI shows as the task's last error.
func (e *AgainError) Error() string { return e.Reason }

// DeadError archives a task: its dead letters are written.
type DeadError struct{ Reason string }

// Error is what the UI shows as the task's last error.
func (e *DeadError) Error() string { return e.Reason }

// Is makes asynq archive the task.
func (e *DeadError) Is(target error) bool { return target == asynq.SkipRetry }

// Config says which lanes to run.
type Config struct {
	// Redis serves the queues. Block is used only to wait for tasks: it needs a
	// connection for each lane, and is closed by Lanes.Stop.
	Redis, Block redis.UniversalClient
	Vendors      []string
	// Known are all vendors: archived and lost tasks of all of them are handled here,
	// whichever worker works them.
	Known []string
	// Handlers is how many tasks of one vendor are worked at once.
	Handlers        int
	ShutdownTimeout time.Duration
	Handle          Handler
	// Fence keeps an earlier run of a task from recording anything. It is called before
	// a task whose worker died or is frozen runs again. ours reports whether the caller
	// still owns the task.
	Fence func(ctx context.Context, t Task, ours func(context.Context) (bool, error)) error
	// EndArchived ends the tokens that archived tasks still have; most have none.
	EndArchived func(ctx context.Context, lane string, all []Archived) error
	// Lost, End, Adopt, Recovered, Producers and Passed are what a Finder needs.
	Lost      func(ctx context.Context, lane string, l Lost) (*wire.Task, error)
	End       func(ctx context.Context, lane string, l Lost) error
	Adopt     func(ctx context.Context, lane string, t Task) error
	Recovered func(reason string, n int)
	Producers func(ctx context.Context) error
	Passed    func(ctx context.Context, p Pass) error
	// SweepEvery is how often the archive is read, and LookEvery how often lost tasks are
	// looked for; 0: every 30 s and every 5 s.
	SweepEvery, LookEvery time.Duration
	// Now is the time by Redis's clock; nil: time.Now.
	Now func() time.Time
	// Blocked says why no task may be taken now; nil, or a nil error: tasks may be taken.
	Blocked func() error
	Log     zerolog.Logger
}

// Lanes are running lanes.
type Lanes struct {
	servers []*asynq.Server
	clients []*client
	block   redis.UniversalClient
	// endRounds ends the rounds; nil before they begin.
	endRounds func()
}

// weights of the priorities: of twenty-five questions for a task twenty begin with
// high, four with normal and one with bulk, so that none starves another.
func weights() map[push.Priority]int {
	return map[push.Priority]int{push.High: 20, push.Normal: 4, push.Bulk: 1}
}

// slots is how many tasks of a priority may be in work at once: the other handlers
// are kept free for higher priorities.
func slots(p push.Priority, handlers int) int {
	switch p {
	case push.Normal:
		return max(1, handlers*3/4)
	case push.Bulk:
		return max(1, handlers/2)
	case push.High:
	}
	return handlers
}

// Start runs the lanes until Stop.
func Start(c Config) (*Lanes, error) {
	l := &Lanes{block: c.Block}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Blocked == nil {
		c.Blocked = func() error { return nil }
	}
	pipe, err := c.Redis.AutoPipeline()
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	trouble, self := &trouble{}, rand.Text()+"-"
	for _, vendor := range c.Vendors {
		cl, queues := newClient(c, pipe, self), map[string]int{}
		for p, weight := range weights() {
			lane := wire.Lane(vendor, string(p))
			queues[lane] = weight
			cl.add(lane, slots(p, c.Handlers))
		}
		srv := asynq.NewServerFromRedisClient(cl, asynq.Config{
			Concurrency: 2 * c.Handlers, // slots bound those that do not wait: see Park
			Queues:      queues,
			RetryDelayFunc: func(n int, err error, _ *asynq.Task) time.Duration {
				now := c.Now() // asynq adds the delay to this machine's time
				return time.Until(now) + retryDelay(n, err, now)
			},
			IsFailure:       isFailure,
			ShutdownTimeout: c.ShutdownTimeout,
			Logger:          logger{c.Log.With().Str("vendor", vendor).Logger(), trouble},
			LogLevel:        logLevel(c.Log),
			// The watcher waits instead, and wakes at once.
			TaskCheckInterval:        100 * time.Microsecond,
			DelayedTaskCheckInterval: 2 * time.Second,
			JanitorInterval:          10 * time.Minute,
		})
		if err := srv.Start(handler(cl.source, c.Handle)); err != nil {
			return nil, errors.Join(fmt.Errorf("start lanes of %s: %w", vendor, err), l.Stop())
		}
		cl.start()
		l.servers, l.clients = append(l.servers, srv), append(l.clients, cl)
	}
	l.goRounds(c, self, trouble)
	return l, nil
}

// goRounds starts the goroutines that handle dead workers' tasks, archived tasks and
// lost tasks, until Stop.
func (l *Lanes) goRounds(c Config, self string, t *trouble) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	lanes, known := lanesOf(c.Vendors), lanesOf(c.Vendors)
	for _, l := range lanesOf(c.Known) {
		if !slices.Contains(known, l) {
			known = append(known, l)
		}
	}
	wg.Go(func() {
		rounds(ctx,
			&reaper{rdb: c.Redis, lanes: lanes, fence: c.Fence, log: c.Log, self: self, clients: l.clients, recovered: c.Recovered},
			&sweeper{rdb: c.Redis, every: cmp.Or(c.SweepEvery, sweepEvery), lanes: known, endArchived: c.EndArchived, swept: map[string]int64{}},
			t)
	})
	if c.Lost != nil {
		finder := &Finder{
			Redis: c.Redis, Lanes: known, Every: c.LookEvery, Lost: c.Lost, End: c.End, EndArchived: c.EndArchived, Adopt: c.Adopt,
			Recovered: c.Recovered, Producers: c.Producers, Passed: c.Passed, Log: c.Log,
		}
		wg.Go(func() { finder.Run(ctx) })
	}
	l.endRounds = func() {
		cancel()
		wg.Wait()
	}
}

// handler calls our handler with asynq's tasks.
func handler(s *source, h Handler) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) error {
		lane, _ := asynq.GetQueueName(ctx)
		id, _ := asynq.GetTaskID(ctx)
		name := taskName{lane, id}
		ctx, r, end := s.begin(ctx, name)
		defer end()
		task := Task{ID: id, Payload: t.Payload(), Ours: func(ctx context.Context) (bool, error) { return s.ours(ctx, name) }}
		if r != nil {
			task.LastError = r.lastError
		}
		err := h(ctx, lane, task)
		if again, ok := errors.AsType[*AgainError](err); ok && r != nil {
			s.putOff(r, again)
		}
		return err
	}
}

// Stop takes no new task, waits for those in work within the shutdown timeout,
// and puts the rest back.
func (l *Lanes) Stop() error {
	if l.endRounds != nil {
		l.endRounds()
	}
	for _, c := range l.clients {
		c.stop()
	}
	err := l.block.Close() // ends the blocked waits
	var g errgroup.Group
	for i, s := range l.servers {
		g.Go(func() error {
			s.Stop()
			source := l.clients[i].source
			err := source.giveBack(context.Background(), source.unready(time.Now()))
			s.Shutdown()
			return err
		})
	}
	for _, c := range l.clients {
		c.wg.Wait()
	}
	return errors.Join(err, g.Wait())
}

// retryDelay is how long after now a task comes again. asynq cuts times to whole
// seconds, so ours are rounded up.
func retryDelay(n int, err error, now time.Time) time.Duration {
	var again *AgainError
	switch {
	case errors.As(err, &again):
		return max(0, again.At.Add(time.Second-1).Sub(now))
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0
	}
	return min(time.Minute, time.Second<<min(n, 6))
}

// isFailure tells asynq whether to count an attempt; nothing depends on it.
func isFailure(err error) bool {
	if again, ok := errors.AsType[*AgainError](err); ok {
		return again.Counted
	}
	return !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, context.Canceled)
}
