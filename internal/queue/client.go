package queue

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// client is the Redis client that one asynq server is given. It passes asynq's
// commands on, except the scripts that guard.go recognises:
//
//   - the question for a task is answered by source, which takes several tasks at
//     once; after an answer that there is none, watcher waits until there is one;
//   - a script that ends a run does nothing for a task that is another run's now;
//   - the heartbeat renews only the leases of tasks that are still this process's;
//   - tasks that are due are moved by forwarder.
type client struct {
	redis.UniversalClient
	// pipe sends what many goroutines ask at once in one round trip.
	pipe redis.UniversalClient

	source  *source
	watcher *watcher
	forward *forwarder
	leases  map[string]string // lanes by asynq's lease key

	mu     sync.Mutex
	guards map[string]*redis.Script // by the hash that asynq knows

	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// newClient returns the client of one server, still without lanes. self is what
// the ids of this process's runs begin with.
func newClient(c Config, pipe redis.UniversalClient, self string) *client {
	cl := &client{
		UniversalClient: c.Redis, pipe: pipe, leases: map[string]string{}, guards: map[string]*redis.Script{}, done: make(chan struct{}),
	}
	cl.watcher = newWatcher(c.Redis, c.Block, c.Blocked, cl.done)
	cl.source = newSource(c, cl.watcher, self)
	cl.forward = newForwarder(c.Redis, c.Now, cl.done)
	return cl
}

// add adds a lane, of which at most slots tasks are in work at once.
func (c *client) add(lane string, slots int) {
	c.leases[wire.LeaseKey(lane)] = lane
	c.source.add(lane, slots)
	c.watcher.add(lane)
	c.forward.add(lane)
}

// start begins to watch the lanes.
func (c *client) start() {
	for _, l := range c.watcher.lanes {
		c.wg.Go(func() { c.watcher.run(l) })
	}
	c.wg.Go(c.forward.run)
}

// stop ends all waiting; wg says when it has ended.
func (c *client) stop() { c.once.Do(func() { close(c.done) }) }

// nextTask answers asynq's question for a task of a lane. If there is none in any
// lane it waits for one before it says so.
func (c *client) nextTask(ctx context.Context, keys []string, l *sourceLane) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	msg, err := c.source.next(ctx, keys, l)
	switch {
	case msg != "":
		cmd.SetVal(msg)
	case err != nil:
		cmd.SetErr(err)
	default:
		c.watcher.foundNone(ctx, l.name, keys[1], c.source.full(l))
		cmd.SetErr(redis.Nil)
	}
	return cmd
}
