package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	high   = "huawei:high"
	normal = "huawei:normal"
	bulk   = "huawei:bulk"
)

// rig is a redis-server of the test's own, with asynq's client and inspector.
type rig struct {
	*testing.T
	server    *redistest.Server
	rdb       *redis.Client
	client    *asynq.Client
	inspector *asynq.Inspector
}

func newRig(t *testing.T, o ...redistest.Option) *rig {
	t.Helper()
	server := redistest.Start(t, o...)
	rdb := server.Client(t)
	return &rig{T: t, server: server, rdb: rdb, client: asynq.NewClientFromRedisClient(rdb), inspector: asynq.NewInspectorFromRedisClient(rdb)}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// lanes runs one vendor's lanes with a handler; the function that it returns
// stops them, which the test's end does as well.
func (r *rig) lanes(handlers int, h queue.Handler) (stop func() time.Duration) {
	r.Helper()
	return r.start(handlers, h, func(*queue.Config) {})
}

// start is lanes with a changed configuration.
func (r *rig) start(handlers int, h queue.Handler, change func(*queue.Config)) (stop func() time.Duration) {
	r.Helper()
	o := r.rdb.Options()
	open := func(n int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
	}
	rdb := open(10)
	c := queue.Config{
		Redis: rdb, Block: open(len(push.Priorities())), Vendors: []string{"huawei"}, Handlers: handlers,
		ShutdownTimeout: time.Second, Handle: h, Log: zerolog.Nop(),
		Fence:       func(context.Context, queue.Task, func(context.Context) (bool, error)) error { return nil },
		EndArchived: func(context.Context, string, []queue.Archived) error { return nil },
	}
	change(&c)
	l, err := queue.Start(c)
	r.must(err)
	stop = sync.OnceValue(func() time.Duration {
		start := time.Now()
		if err := l.Stop(); err != nil {
			r.Error(err)
		}
		_ = rdb.Close()
		return time.Since(start)
	})
	r.Cleanup(func() { stop() })
	return stop
}

// add puts a task on a lane.
func (r *rig) add(lane, id string) {
	r.Helper()
	_, err := r.client.EnqueueContext(r.Context(), asynq.NewTask(wire.TaskType, []byte(id)), asynq.Queue(lane), asynq.TaskID(id), asynq.MaxRetry(1000))
	r.must(err)
}

// inRedis counts what is left of a lane's tasks.
func (r *rig) inRedis(lane string) int64 {
	r.Helper()
	ctx := r.Context()
	return r.rdb.LLen(ctx, wire.PendingKey(lane)).Val() + r.rdb.LLen(ctx, wire.ActiveKey(lane)).Val() +
		r.rdb.ZCard(ctx, wire.LeaseKey(lane)).Val() + r.rdb.ZCard(ctx, wire.ArchivedKey(lane)).Val()
}

// eventually polls until ok, and fails the test after the patience.
func (r *rig) eventually(what string, patience time.Duration, ok func() bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-ctx.Done():
			r.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// waiting waits until n lanes block in Redis for a task.
func (r *rig) waiting(n int) {
	r.Helper()
	r.eventually(fmt.Sprintf("%d lanes wait for a task", n), 10*time.Second, func() bool {
		list, err := r.rdb.ClientList(r.Context()).Result()
		return err == nil && strings.Count(list, "cmd=blmove") == n
	})
}

// commands counts what Redis is asked in a while.
func (r *rig) commands(while time.Duration) int64 {
	r.Helper()
	before := r.processed()
	t := time.NewTimer(while)
	<-t.C
	return r.processed() - before - 1
}

func (r *rig) processed() (n int64) {
	r.Helper()
	info, err := r.rdb.Info(r.Context(), "stats").Result()
	r.must(err)
	for line := range strings.Lines(info) {
		_, _ = fmt.Sscanf(line, "total_commands_processed:%d", &n)
	}
	return n
}

// from receives within 10 s.
func from[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	select {
	case v := <-c:
		return v
	case <-limit.C:
		t.Fatalf("not within 10 s: %s", what)
		panic("unreachable")
	}
}

// report is a handler that tells of every task and acknowledges it.
func report(c chan<- string) queue.Handler {
	return func(_ context.Context, _ string, t queue.Task) error {
		c <- t.ID
		return nil
	}
}
