package push_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// moving is a clock that only the test moves.
type moving struct{ seconds atomic.Int64 }

func (m *moving) now() time.Time { return noon.Add(time.Duration(m.seconds.Load()) * time.Second) }

// patience waits until ok, for ten seconds.
func patience(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func lastHeartbeat(t *testing.T, rdb *redis.Client) time.Duration {
	t.Helper()
	score, err := rdb.ZScore(t.Context(), wire.StagingKey, "j").Result()
	if err != nil {
		return -1
	}
	return time.Unix(int64(score), 0).Sub(noon)
}

func TestASenderWhoseInputStallsSendsHeartbeats(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var clock moving
	c := newClient(t, rdb, func(o *push.Options) { o.Now = clock.now })
	c.HeartbeatEvery(time.Millisecond)
	s, err := begin(t, c, to(job("j"), "three", tokens("t", 90)...))
	if err != nil {
		t.Fatal(err)
	}
	worker := newClient(t, rdb, func(o *push.Options) { o.Now = clock.now })
	for minute := int64(5); minute <= 60; minute += 5 { // nothing is added all the while
		clock.seconds.Store(60 * minute)
		patience(t, "a heartbeat", func() bool { return lastHeartbeat(t, rdb) == time.Duration(minute)*time.Minute })
		if completed, back, err := worker.CompleteStale(t.Context()); completed+back > 0 || err != nil {
			t.Fatalf("after %d minutes: completed %d, took back %d, %v", minute, completed, back, err)
		}
	}
	if got, err := s.Commit(t.Context()); err != nil || got.Accepted != 90 {
		t.Errorf("got %+v, %v, want the job enqueued", got, err)
	}
	if lastHeartbeat(t, rdb) >= 0 {
		t.Error("a job that is enqueued is still said to be staged")
	}
}

// signs counts the signs of life that reach Redis.
type signs struct{ n atomic.Int64 }

func (s *signs) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *signs) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "zadd" {
			s.n.Add(1)
		}
		return err
	}
}

func (s *signs) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A late heartbeat must not list a job again.
func TestAnAbortedJobIsNotStagedAgainByAHeartbeat(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	frail := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr, DB: rdb.Options().DB})
	t.Cleanup(func() { _ = frail.Close() })
	var count signs
	frail.AddHook(&count)
	c := newClient(t, frail)
	c.HeartbeatEvery(time.Millisecond)
	s, err := begin(t, c, to(job("j"), "three", tokens("t", 90)...))
	if err != nil {
		t.Fatal(err)
	}
	ahead := newClient(t, rdb, func(o *push.Options) { o.Now = func() time.Time { return noon.Add(11 * time.Minute) } })
	if _, back, err := ahead.CompleteStale(t.Context()); back != 1 || err != nil {
		t.Fatalf("took back %d, %v, want one", back, err)
	}
	before := count.n.Load()
	patience(t, "three more signs", func() bool { return count.n.Load() > before+3 })
	wantEmpty(t, rdb)
	if err := s.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	before = count.n.Load()
	if n := rdb.DBSize(t.Context()).Val(); n > 0 || count.n.Load() != before {
		t.Errorf("%d keys are left", n)
	}
}

// The job was canceled between its seal and its last task.
func TestACanceledJobWhoseProducerDiedGetsItsTasks(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(job("j"), "three", tokens("t", 90)...)
	half(t, rdb, j, 31+4, wire.Sealed)
	rdb.HSet(t.Context(), wire.JobKey("j"), wire.FieldState, wire.Canceling)
	later := newClient(t, rdb, func(o *push.Options) { o.Now = func() time.Time { return noon.Add(time.Minute) } })
	if completed, _, err := later.CompleteStale(t.Context()); completed != 1 || err != nil {
		t.Fatalf("completed %d, %v, want one", completed, err)
	}
	if n := rdb.LLen(t.Context(), wire.PendingKey("three:normal")).Val(); n != 30 {
		t.Errorf("%d tasks wait, want 30: a worker ends what is canceled", n)
	}
	if state := rdb.HGet(t.Context(), wire.JobKey("j"), wire.FieldState).Val(); state != wire.Canceling {
		t.Errorf("the job is %s, want canceled", state)
	}
}

func TestAChunkThatCannotBeReadDoesNotKeepAJobFromItsTasks(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(job("j"), "three", tokens("t", 90)...)
	half(t, rdb, j, 31+4, wire.Sealed)
	if err := rdb.Set(t.Context(), wire.ChunkKey(wire.JobChunk("j", "three:29")), "rubbish", 0).Err(); err != nil {
		t.Fatal(err)
	}
	later := newClient(t, rdb, func(o *push.Options) { o.Now = func() time.Time { return noon.Add(time.Minute) } })
	if completed, _, err := later.CompleteStale(t.Context()); completed != 1 || err != nil {
		t.Fatalf("completed %d, %v, want one", completed, err)
	}
	for _, m := range rdb.ZRange(t.Context(), wire.OpenKey("three:normal"), 0, -1).Val() {
		if o, err := wire.DecodeOpen(m); err != nil || o.Tokens != 3 {
			t.Errorf("open work %q, %v: want three tokens", m, err)
		}
	}
	if n := rdb.LLen(t.Context(), wire.PendingKey("three:normal")).Val(); n != 30 {
		t.Errorf("%d tasks wait, want 30: a worker says of one that it cannot be read", n)
	}
}
