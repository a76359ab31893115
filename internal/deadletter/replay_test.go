package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestReplaySendsWhatDiedOnceMoreUnderTheSameJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		send    func(r *rig) []task
		n       int
		entries int
	}{
		"a job of one token": {func(r *rig) []task { return r.send(job("a", "t1")) }, 1, 1},
		"a job of one chunk": {func(r *rig) []task { return r.send(job("a", "t1", "t2", "t3")) }, 3, 1},
		"a job of more":      {func(r *rig) []task { return r.send(job("a", numbered(11)...)) }, 11, 3},
		"a job whose message is gone": {func(r *rig) []task {
			return r.stream(job("a", numbered(11)...))
		}, 11, 3},
		"a job of one token whose message is gone": {func(r *rig) []task { return r.stream(job("a", "t1")) }, 1, 1},
		"a job that shared its chunk": {func(r *rig) []task {
			for _, o := range r.client.EnqueueMany(r.Context(), []push.Job{job("b", "u1"), job("a", "t1", "t2"), job("c", "u2")}) {
				r.must(o.Err)
			}
			tasks := r.tasks()
			if len(tasks) != 1 {
				r.Fatalf("%d tasks, want one that all share", len(tasks))
			}
			return tasks
		}, 4, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.die(c.send(r)...)
			before, err := r.book.Status(t.Context(), "a")
			r.must(err)
			n := before.Accepted
			r.want("a", ledger.Status{State: "done", Accepted: n, Dead: n})
			if got := r.replay(); got != (deadletter.Sum{Entries: c.entries, Tokens: c.n}) {
				t.Errorf("replayed %+v, want %d entries with %d tokens", got, c.entries, c.n)
			}
			r.want("a", ledger.Status{State: "running", Accepted: n, Pending: n})
			if got := r.replay(); got != (deadletter.Sum{}) {
				t.Errorf("the second time replayed %+v, want nothing", got)
			}
			tasks := r.tasks()
			r.once(tasks, c.n)
			for _, task := range tasks {
				if task.lane != lane || task.Job == "" || task.App != "shop" {
					t.Errorf("task %s in %s: %+v", task.id, task.lane, task.Header)
				}
			}
			r.settle(wire.Delivered, tasks...)
			r.want("a", ledger.Status{State: "done", Accepted: n, Delivered: n})
			if got := r.rdb.Keys(t.Context(), wire.ChunkKey("*")).Val(); len(got) > 0 {
				t.Errorf("%q lie about, want no chunk", got)
			}
		})
	}
}

func TestAReplayedChunkIsAsTheJobHadIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := job("a", "t1", "t2")
	j.Priority, j.Delivery, j.Message.Title = "bulk", "at-most-once", "Sale"
	j.ExpiresAt = time.Now().Add(time.Hour)
	tasks := r.send(j)
	was := r.open(tasks[0])
	r.die(tasks...)
	r.replay()
	tasks = r.tasks()
	if len(tasks) != 1 || tasks[0].lane != "huawei:bulk" || tasks[0].Tokens != 2 || tasks[0].Expires != j.ExpiresAt.Unix() {
		t.Fatalf("got %+v, want one task of two tokens in bulk with the job's expiry", tasks)
	}
	now := r.open(tasks[0])
	got, want := now.Chunk.Entries[0], was.Chunk.Entries[0]
	if now.Ref == was.Ref {
		t.Errorf("the chunk is again %s, want a name of its own", now.Ref)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || !got.AtMostOnce || now.Chunk.Messages[0] != was.Chunk.Messages[0] {
		t.Errorf("got %+v %s\nwant %+v %s", got, now.Chunk.Messages, want, was.Chunk.Messages)
	}
	if !slices.Equal(now.Chunk.States, []byte{0, 0}) {
		t.Errorf("the states are %v, want no attempts", now.Chunk.States)
	}
	if tasks[0].Message != push.Digest("shop", []byte(now.Chunk.Messages[0])) {
		t.Errorf("the header's digest is %s, which is not the message's", tasks[0].Message)
	}
}

func TestReplayGivesAnExpiredEntryAsLongToLiveAsItHad(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	ms := func(d time.Duration) string { return fmt.Sprint(now.Add(d).UnixMilli()) }
	for name, c := range map[string]struct {
		start, expires         string
		flag                   time.Time
		wantStart, wantExpires time.Duration
	}{
		"not expired":                     {ms(-time.Hour), ms(2 * time.Hour), time.Time{}, -time.Hour, 2 * time.Hour},
		"expired":                         {ms(-72 * time.Hour), ms(-70 * time.Hour), time.Time{}, 0, 2 * time.Hour},
		"expiring just now":               {ms(-time.Hour), ms(0), time.Time{}, 0, time.Hour},
		"expired, another end given":      {ms(-72 * time.Hour), ms(-70 * time.Hour), now.Add(time.Minute), 0, time.Minute},
		"not expired, another end given":  {ms(-time.Hour), ms(2 * time.Hour), now.Add(5 * time.Hour), 0, 5 * time.Hour},
		"no times stored":                 {"", "", time.Time{}, 0, 24 * time.Hour},
		"no start stored":                 {"", ms(2 * time.Hour), time.Time{}, 0, 2 * time.Hour},
		"no start stored and expired":     {"", ms(-time.Hour), time.Time{}, 0, 24 * time.Hour},
		"times that cannot be read":       {"soon", "later", time.Time{}, 0, 24 * time.Hour},
		"expired before it began to live": {ms(-time.Hour), ms(-2 * time.Hour), time.Time{}, 0, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.store.Now = func() time.Time { return now }
			r.letter(map[string]string{"start": c.start, "expires": c.expires})
			sum, left, err := r.store.Replay(t.Context(), wire.EntryFilter{}, c.flag)
			if err != nil || sum.Tokens != 2 || len(left) > 0 {
				t.Fatalf("got %+v, %v, %v", sum, left, err)
			}
			tasks := r.tasks()
			e := r.open(tasks[0]).Chunk.Entries[0]
			if got := time.UnixMilli(e.Start).Sub(now); got != c.wantStart {
				t.Errorf("it starts %v from now, want %v", got, c.wantStart)
			}
			if got := time.UnixMilli(e.Expires).Sub(now); got != c.wantExpires {
				t.Errorf("it expires in %v, want %v", got, c.wantExpires)
			}
			for _, key := range []string{wire.ChunkKey(tasks[0].Chunk), wire.JobKey("a")} {
				if ttl, want := r.rdb.TTL(t.Context(), key).Val(), c.wantExpires+7*24*time.Hour; ttl < want-time.Minute || ttl > want {
					t.Errorf("%s stays %v, want %v", key, ttl, want)
				}
			}
		})
	}
}

func TestReplayTakesUpALedgerThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.letter(map[string]string{"tokens": "t1"})
	r.letter(map[string]string{"tokens": "t2", "code": "huawei/http/503"})
	r.letter(map[string]string{"tokens": "t3\nt4"})
	if got := r.replay(); got != (deadletter.Sum{Entries: 3, Tokens: 4}) {
		t.Errorf("replayed %+v", got)
	}
	r.want("a", ledger.Status{State: "running", Accepted: 4, Pending: 4})
	tasks := r.tasks()
	r.once(tasks, 4)
	r.settle(wire.Delivered, tasks[:2]...)
	r.die(tasks[2])
	st, err := r.book.Status(t.Context(), "a")
	if err != nil || st.State != "done" || st.App != "shop" || st.Delivered+st.Dead != 4 {
		t.Errorf("the ledger is %+v, %v, want it done", st, err)
	}
	if r.replay().Entries != 1 {
		t.Error("what died again is not replayed again")
	}
}

func TestReplayKeepsTheRestOfTheLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.send(job("a", numbered(8)...))
	r.die(tasks[0])
	r.replay() // while the other chunk is pending
	r.want("a", ledger.Status{State: "running", Accepted: 8, Pending: 8})
	r.settle(wire.Delivered, tasks[1])
	r.die(r.tasks()...)
	r.want("a", ledger.Status{State: "done", Accepted: 8, Delivered: 4, Dead: 4})
	r.must(r.rdb.Expire(t.Context(), wire.JobKey("a"), 300*24*time.Hour).Err())
	r.replay()
	r.want("a", ledger.Status{State: "running", Accepted: 8, Delivered: 4, Pending: 4})
	if got := r.rdb.TTL(t.Context(), wire.JobKey("a")).Val(); got < 299*24*time.Hour {
		t.Errorf("the ledger stays %v, want no less than it had", got)
	}
	if ended := r.rdb.HExists(t.Context(), wire.JobKey("a"), wire.FieldEnded).Val(); ended {
		t.Error("the ledger says that it ended, so its id could be taken")
	}
}

func TestWhatCannotBeReplayedStaysAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		letter  map[string]string
		prepare func(r *rig)
		want    string
	}{
		"no message":                    {map[string]string{"message": ""}, nil, "it lacks its app, vendor, job or message"},
		"no job":                        {map[string]string{"job": ""}, nil, "it lacks its app, vendor, job or message"},
		"no tokens":                     {map[string]string{"tokens": ""}, nil, "it has an empty token"},
		"an empty token":                {map[string]string{"tokens": "t1\n\nt2"}, nil, "it has an empty token"},
		"a wrong priority":              {map[string]string{"priority": "urgent"}, nil, `its priority "urgent" is unknown`},
		"a job of one token has its id": {nil, func(r *rig) { r.send(job("a", "u1")) }, "another job has its id now"},
		"a finished job of one token has its id": {map[string]string{"tokens": "t1"}, func(r *rig) {
			r.settle(wire.Delivered, r.send(job("a", "u1"))...)
		}, "another job has its id now"},
		"another job is being enqueued": {nil, func(r *rig) {
			r.must(r.rdb.HSet(r.Context(), wire.JobKey("a"), "state", "staging", "accepted", 3).Err())
		}, "another job is being enqueued under its id"},
		"its job is being canceled": {nil, func(r *rig) {
			r.send(job("a", "u1", "u2"))
			r.must(r.book.Cancel(r.Context(), "a"))
		}, "its job was canceled, and what is left of that is still being counted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.prepare != nil {
				c.prepare(r)
			}
			id := r.letter(c.letter)
			r.letter(map[string]string{"job": "good"})
			before := r.rdb.Dump(t.Context(), wire.JobKey("a")).Val()
			sum, left, err := r.store.Replay(t.Context(), wire.EntryFilter{}, time.Time{})
			if err != nil || sum.Entries != 1 {
				t.Errorf("got %+v, %v, want the good one replayed", sum, err)
			}
			if len(left) != 1 || left[0].ID != id || left[0].Reason != c.want {
				t.Errorf("%v stay, want %s: %s", left, id, c.want)
			}
			if all := r.all(wire.EntryFilter{}); len(all) != 1 || all[0].ID != id {
				t.Errorf("the stream has %v, want %s", all, id)
			}
			if after := r.rdb.Dump(t.Context(), wire.JobKey("a")).Val(); after != before {
				t.Error("the ledger was changed")
			}
		})
	}
}

func TestReplayReopensAJobThatWasCanceledLongAgo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.send(job("a", numbered(8)...))
	r.die(tasks[0])
	r.must(r.book.Cancel(t.Context(), "a"))
	r.settle(wire.Canceled, tasks[1])
	r.want("a", ledger.Status{State: "canceled", Accepted: 8, Dead: 4, Canceled: 4})
	r.replay()
	r.want("a", ledger.Status{State: "running", Accepted: 8, Pending: 4, Canceled: 4})
	again := r.tasks()
	if o := r.open(again[0]); o.Canceled[0] {
		t.Error("the chunk is canceled at its load, so it would never be sent")
	}
}

func TestAnArchivedTaskDoesNotBlockTheReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.send(job("a", "t1", "t2"))
	r.die(tasks...)
	for range 3 {
		r.must(r.rdb.HSet(t.Context(), wire.TaskKey(lane, tasks[0].id), "msg", "", "state", "archived").Err())
		r.replay()
		again := r.tasks()
		r.once(again, 2)
		if again[0].id == tasks[0].id {
			t.Fatalf("task %s is the archived one", again[0].id)
		}
		r.die(again...)
		tasks = again
	}
	r.want("a", ledger.Status{State: "done", Accepted: 2, Dead: 2})
}

// dieMany lets n jobs of one token die, quickly.
func (r *rig) dieMany(n int) {
	r.Helper()
	for from := 0; from < n; from += 500 {
		_, err := r.rdb.Pipelined(r.Context(), func(p redis.Pipeliner) error {
			for i := from; i < min(n, from+500); i++ {
				id := fmt.Sprintf("j%05d", i)
				p.Set(r.Context(), wire.JobKey(id), wire.Single{Outcome: wire.Dead, App: "shop", Ended: time.Now()}.Encode(), time.Hour)
				p.XAdd(r.Context(), &redis.XAddArgs{Stream: wire.DeadStream, Values: []any{
					"app", "shop", "vendor", "huawei", "job", id, "code", busy, "tokens", fmt.Sprintf("t%05d", i), "attempts", 8,
					"message", `{"title":"x","body":"y"}`, "priority", "normal", "start", 1763712000000, "expires", 1763715600000,
				}})
			}
			return nil
		})
		r.must(err)
	}
}

func TestTwentyFiveThousandEntriesAreReplayedInSeconds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 25000
	r.dieMany(n)
	start := time.Now()
	if got := len(r.all(wire.EntryFilter{})); got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
	if got := r.replay(); got != (deadletter.Sum{Entries: n, Tokens: n}) {
		t.Errorf("replayed %+v, want %d", got, n)
	}
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := r.rdb.LLen(t.Context(), wire.PendingKey(lane)).Val(); got != n {
		t.Errorf("%d tasks wait, want %d", got, n)
	}
}

func TestTwoReplaysAtOnceSendEachTokenOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 1000
	r.dieMany(n / 2)
	for i := range n / 2 {
		r.letter(map[string]string{"tokens": fmt.Sprint("u", i)})
	}
	var sums [4]deadletter.Sum
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			sum, left, err := r.store.Replay(t.Context(), wire.EntryFilter{}, time.Time{})
			if err != nil || len(left) > 0 {
				t.Errorf("%v stay, %v, want nothing", left, err)
			}
			sums[i] = sum
		})
	}
	wg.Wait()
	total := 0
	for _, s := range sums {
		total += s.Tokens
	}
	if total != n {
		t.Errorf("they say %v, want %d together", sums, n)
	}
	r.want("a", ledger.Status{State: "running", Accepted: n / 2, Pending: n / 2})
	r.once(r.tasks(), n)
}

func TestAnInterruptedReplayContinuesWhereItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 1000
	r.dieMany(n)
	ctx, cancel := context.WithCancel(t.Context())
	r.store.Now = func() time.Time { // in the middle of a page
		if r.rdb.LLen(t.Context(), wire.PendingKey(lane)).Val() >= 300 {
			cancel()
		}
		return time.Now()
	}
	sum, _, err := r.store.Replay(ctx, wire.EntryFilter{}, time.Time{})
	if !errors.Is(err, context.Canceled) || sum.Tokens < 300 || sum.Tokens > 400 {
		t.Fatalf("got %+v, %v, want it canceled after some 300", sum, err)
	}
	if got := r.rdb.LLen(t.Context(), wire.PendingKey(lane)).Val(); int(got) != sum.Tokens {
		t.Errorf("%d tasks wait, and %d were counted", got, sum.Tokens)
	}
	if rest := r.replay(); rest.Tokens != n-sum.Tokens {
		t.Errorf("the rest are %d, want %d", rest.Tokens, n-sum.Tokens)
	}
	r.once(r.tasks(), n)
}

// cut fails a pipeline after Redis has done it, as a broken connection does.
type cut struct{ left int }

func (*cut) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*cut) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (c *cut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if cmds[0].Name() != "evalsha" { // a connection is being set up
			return err
		}
		if c.left--; c.left == 0 {
			err = errors.New("the connection broke")
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

func TestAnAnswerThatIsLostSendsNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 200
	r.dieMany(n)
	broken := redis.NewClient(r.rdb.Options())
	defer broken.Close()
	broken.AddHook(&cut{left: 3})
	s := &deadletter.Store{Redis: broken}
	if _, _, err := s.Replay(t.Context(), wire.EntryFilter{}, time.Time{}); err == nil {
		t.Fatal("the broken connection is not told")
	}
	r.replay()
	r.once(r.tasks(), n)
}

func TestReplaySurvivesARedisWithoutItsScripts(t *testing.T) {
	t.Parallel()
	r := rigOn(t, redistest.Start(t).Client(t)) // forgetting is everybody's
	r.dieMany(120)
	r.must(r.rdb.ScriptFlush(t.Context()).Err())
	if got := r.replay(); got.Entries != 120 {
		t.Errorf("replayed %+v, want 120", got)
	}
	r.once(r.tasks(), 120)
}
