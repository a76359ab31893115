package push_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// lane is the lane of a producer whose clock the test moves.
type lane struct {
	*testing.T
	rdb    *redis.Client
	client *push.Client
	now    time.Time
}

func newLane(t *testing.T) *lane {
	t.Helper()
	l := &lane{T: t, rdb: redistest.Client(t), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	var err error
	l.client, err = push.NewClient(l.rdb, push.Options{
		Vendors: []push.Vendor{{Name: "huawei", Batch: 10}}, Now: func() time.Time { return l.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// send enqueues a job of so many tokens, ten a task.
func (l *lane) send(app, id string, tokens int) {
	l.Helper()
	j := push.Job{ID: id, App: app, Message: push.Message{Title: "Hi", Body: "there"}, Targets: map[string][]string{}}
	for i := range tokens {
		j.Targets["huawei"] = append(j.Targets["huawei"], id+strconv.Itoa(i))
	}
	if _, err := l.client.Enqueue(l.Context(), j); err != nil {
		l.Fatal(err)
	}
}

// waits are the jobs of the lane's tasks in the order in which workers take them.
func (l *lane) waits() []string {
	l.Helper()
	ids := l.rdb.LRange(l.Context(), wire.PendingKey("huawei:normal"), 0, -1).Val()
	slices.Reverse(ids)
	for i, id := range ids {
		ids[i], _, _ = strings.Cut(id, ".")
	}
	return ids
}

// take takes the next task, as asynq does, and answers its job.
func (l *lane) take() string {
	l.Helper()
	id, err := l.rdb.RPop(l.Context(), wire.PendingKey("huawei:normal")).Result()
	if err != nil {
		l.Fatal(err)
	}
	job, _, _ := strings.Cut(id, ".")
	return job
}

// of are those of the jobs whose names have the prefix.
func of(jobs []string, prefix string) (mine []string) {
	for _, id := range jobs {
		if strings.HasPrefix(id, prefix) {
			mine = append(mine, id)
		}
	}
	return mine
}

// A job of a thousand chunks waits; what another app adds goes ahead of it, but
// not all that it adds, or it would hold up the first.
func TestAFewTasksOfAnotherAppGoAheadOfALargeJob(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.send("small", "first", 1)
	l.send("large", "campaign", 10_000)
	if got := l.waits(); len(got) != 1001 || !strings.HasPrefix(got[0], "first") {
		t.Fatalf("%d tasks wait, the first is %s; want 1001, and the one that came first", len(got), got[0])
	}
	for i := range 100 {
		l.send("small", fmt.Sprintf("many_%02d", i), 1)
	}
	got := l.waits()
	if front, back := of(got[:40], "many_"), of(got[len(got)-80:], "many_"); len(front) != 20 || len(back) != 80 {
		t.Errorf("of 100 tasks %d are ahead and %d at the end, want 20 and 80", len(front), len(back))
	}
	if mine := of(got, "many_"); !slices.IsSorted(mine) {
		t.Errorf("they are taken in the order %v, want that in which they came", mine)
	}
	l.now = l.now.Add(time.Second)
	for i := range 100 {
		l.send("small", fmt.Sprintf("later_%02d", i), 1)
	}
	if got := of(l.waits()[:60], "later_"); len(got) != 10 {
		t.Errorf("a second later %d tasks went ahead, want 10", len(got))
	}
	if ttl := l.rdb.TTL(t.Context(), wire.TurnKey("huawei:normal")).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("what was counted is kept for %v", ttl)
	}
}

// However many apps add a few tasks each, and whether they come before or while
// tasks are taken, every second task taken is the backlog's.
func TestABacklogKeepsHalfOfItsLane(t *testing.T) {
	t.Parallel()
	for name, added := range map[string]int{"as fast as tasks are taken": 1, "faster": 3, "much faster": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t)
			l.send("large", "campaign", 10_000)
			var taken []string
			for i := range 200 {
				for j := range added {
					l.send(fmt.Sprintf("app%d_%d", i, j), fmt.Sprintf("small_%05d", i*added+j), 1)
				}
				taken = append(taken, l.take())
			}
			small := of(taken, "small_")
			if n := len(taken) - len(small); n < 100 || len(small) < 95 {
				t.Errorf("of 200 tasks taken %d are the backlog's, want half of them", n)
			}
			if !slices.IsSorted(small) {
				t.Errorf("those that go ahead are taken in the order %v, want that in which they came", small)
			}
			for i := 1; i < len(taken); i++ {
				if strings.HasPrefix(taken[i-1], "small_") && strings.HasPrefix(taken[i], "small_") {
					t.Fatalf("tasks %d and %d that are taken both went ahead", i-1, i)
				}
			}
		})
	}
}

func TestTasksThatGoAheadAreFew(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.send("large", "campaign", 10_000)
	for i := range 300 {
		l.send("app"+strconv.Itoa(i), fmt.Sprintf("small_%03d", i), 1)
	}
	got := l.waits()
	if front, back := of(got[:257], "small_"), of(got[1128:], "small_"); len(front) != 128 || len(back) != 172 {
		t.Errorf("%d tasks go ahead and %d wait at the end, want 128 and 172", len(front), len(back))
	}
}

func TestATaskThatIsEnqueuedAgainGoesAheadOnce(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.send("large", "campaign", 10_000)
	l.rdb.AddHook(repeater{})
	l.send("small", "small", 100)
	got := l.waits()
	if front := of(got[:21], "small"); len(front) != 10 || len(of(got, "small")) != 10 {
		t.Errorf("%d tasks go ahead of %d, want 10 of 10", len(front), len(of(got, "small")))
	}
}

// repeater enqueues every task of a job of some chunks twice, as a client does
// whose first reply was lost.
type repeater struct{}

func (repeater) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (repeater) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (repeater) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if args := cmds[0].Args(); err == nil && len(args) > 5 && args[5] == wire.TurnKey("huawei:normal") {
			return next(ctx, cmds)
		}
		return err
	}
}

// Producers without a configuration may name any app, so the allowances of those
// that have not sent for long are dropped.
func TestAllowancesOfManyAppsAreBounded(t *testing.T) {
	t.Parallel()
	l := newLane(t)
	l.send("large", "campaign", 1000)
	for i := range 3000 {
		if i%500 == 0 {
			l.now = l.now.Add(3 * time.Second)
		}
		l.send("app"+strconv.Itoa(i), "job"+strconv.Itoa(i), 1)
	}
	if n := l.rdb.HLen(t.Context(), wire.TurnKey("huawei:normal")).Val(); n == 0 || n > 1002 {
		t.Errorf("the allowances of %d apps are kept, want 1000 at most", n)
	}
}
