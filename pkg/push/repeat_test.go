package push_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// everyCommand runs a scenario once for each of its commands, with that one's
// answer, or the command itself, lost on the way: go-redis sends it again, as
// it does for users. The scenario must end as if nothing had happened.
func everyCommand(t *testing.T, scenario func(t *testing.T, direct, flaky *redis.Client)) {
	t.Helper()
	for _, c := range []struct {
		name  string
		fault redistest.Fault
	}{{"answers lost", redistest.LoseAnswer}, {"commands lost", redistest.LoseCommand}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			direct := redistest.Client(t)
			proxy, flaky := redistest.Flaky(t, direct)
			for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
				direct.FlushDB(t.Context())
				proxy.Break(redistest.Nth(n, c.fault))
				scenario(t, direct, flaky)
				if t.Failed() {
					t.Fatalf("with command %d broken", n)
				}
				if n > 0 && proxy.Commands() < n {
					return
				}
			}
		})
	}
}

func TestAJobWhoseAnswerWasLostIsNoDuplicateOfItself(t *testing.T) {
	t.Parallel()
	sizes := map[string]func(*push.Job){
		"one token":    func(j *push.Job) { *j = to(*j, "three", "t") },
		"eight tokens": func(j *push.Job) { *j = to(*j, "five", tokens("t", 8)...) },
		"large":        func(j *push.Job) { *j = to(to(*j, "big", tokens("t", 1201)...), "five", tokens("f", 45)...) },
	}
	for size, fill := range sizes {
		for _, id := range []string{"", "j"} {
			t.Run(fmt.Sprintf("%s, id %q", size, id), func(t *testing.T) {
				t.Parallel()
				everyCommand(t, func(t *testing.T, direct, flaky *redis.Client) {
					j := job(id)
					fill(&j)
					got, err := newClient(t, flaky, big).Enqueue(t.Context(), j)
					if err != nil {
						t.Errorf("got %v", err)
						return
					}
					j.ID = got.Job
					b := open(t, direct)
					b.wantJob(t, j)
					_, err = newClient(t, direct, big).Enqueue(t.Context(), j)
					if !errors.Is(err, push.ErrDuplicate) {
						t.Errorf("by somebody else: got %v, want ErrDuplicate", err)
					}
				})
			})
		}
	}
}

func TestManyJobsWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	everyCommand(t, func(t *testing.T, direct, flaky *redis.Client) {
		jobs := append(ones(20), to(job("j"), "five", tokens("t", 23)...))
		known := jobs[7]
		if _, err := newClient(t, direct, big).Enqueue(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		for i, o := range newClient(t, flaky, big).EnqueueMany(t.Context(), jobs) {
			if i == 7 && !errors.Is(o.Err, push.ErrDuplicate) || i != 7 && o.Err != nil {
				t.Errorf("job %d: got %v", i, o.Err)
			}
		}
		if there := len(open(t, direct).accepted); there != len(jobs) {
			t.Errorf("%d jobs are there, want %d", there, len(jobs))
		}
	})
}

// A worker may be faster than go-redis's second try.
func TestAJobThatEndedBeforeItsAnswerWasAskedForAgainIsNoDuplicate(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	c := newClient(t, flaky)
	if _, err := c.Enqueue(t.Context(), to(job("first"), "three", "t")); err != nil {
		t.Fatal(err) // Redis has the script by now
	}
	proxy.Break(func(n int, name string) redistest.Fault {
		if n == 2 { // the second try
			direct.Set(t.Context(), wire.JobKey("j"), "1dtkx3yz shop h:80000000", 0)
		}
		return redistest.Nth(1, redistest.LoseAnswer)(n, name)
	})
	if _, err := c.Enqueue(t.Context(), to(job("j"), "three", "t")); err != nil {
		t.Error(err)
	}
	if n := proxy.Commands(); n != 2 {
		t.Errorf("%d commands were sent, want 2", n)
	}
}

// The answer of each command of a large job is lost in its turn, and before
// go-redis sends that command again the job is canceled, or a worker takes its
// producer for dead and completes it. The producer hears that its job is there.
func TestAStepIsRepeatableWhenTheJobHasMovedOn(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(t *testing.T, direct *redis.Client) (moved bool){
		"canceled": func(t *testing.T, direct *redis.Client) bool {
			sealed := direct.HGet(t.Context(), wire.JobKey("j"), wire.FieldState).Val() == wire.Sealed
			if sealed { // as internal/ledger cancels a job that has tasks
				direct.HSet(t.Context(), wire.JobKey("j"), wire.FieldState, wire.Canceling)
			}
			return sealed
		},
		"completed by a worker": func(t *testing.T, direct *redis.Client) bool {
			later := newClient(t, direct, big, func(o *push.Options) { o.Now = func() time.Time { return noon.Add(20 * time.Second) } })
			n, _, err := later.CompleteStale(t.Context())
			if err != nil {
				t.Error(err)
			}
			return n > 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := redistest.Client(t)
			proxy, flaky := redistest.Flaky(t, direct)
			j := to(to(job("j"), "big", tokens("t", 1201)...), "five", tokens("f", 45)...)
			moves := 0
			for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
				direct.FlushDB(t.Context())
				proxy.Break(func(i int, _ string) redistest.Fault {
					if i == n+1 && n > 0 && move(t, direct) {
						moves++
					}
					if i == n {
						return redistest.LoseAnswer
					}
					return redistest.None
				})
				if err := streamAll(t, newClient(t, flaky, big), j); err != nil {
					t.Errorf("answer %d lost: got %v", n, err)
				}
				b := open(t, direct)
				b.wantJob(t, j)
				if n > 0 && proxy.Commands() < n || t.Failed() {
					break
				}
			}
			if moves < 5 {
				t.Errorf("the job was %s %d times: the test proves too little", name, moves)
			}
		})
	}
}

func TestAnAbortWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	everyCommand(t, func(t *testing.T, direct, flaky *redis.Client) {
		s, err := begin(t, newClient(t, flaky), to(job("j"), "three", tokens("t", 90)...))
		if err != nil {
			t.Error(err)
			return
		}
		if err := s.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		wantEmpty(t, direct)
	})
}

// The producer dies after each of its commands: a worker completes a sealed job
// and takes back one that is not, and a producer that goes on does no harm.
func TestWhatADeadProducerLeftIsCompletedOrTakenBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	warm(t, rdb)
	j := to(to(job("j"), "big", tokens("t", 1201)...), "five", tokens("f", 45)...)
	completed, takenBack := 0, 0
	for n := 0; ; n++ {
		rdb.FlushDB(t.Context())
		err := streamAll(t, newClient(t, crashing(t, rdb, &crash{left: n}), big), j)
		if err == nil {
			break
		}
		at := noon.Add(20 * time.Second)
		later := newClient(t, rdb, big, func(o *push.Options) { o.Now = func() time.Time { return at } })
		state := rdb.HGet(t.Context(), wire.JobKey("j"), wire.FieldState).Val()
		done, back, err := later.CompleteStale(t.Context())
		if err != nil || back != 0 || (done == 1) != (state == wire.Sealed) {
			t.Errorf("after %d commands, state %q: completed %d, took back %d, %v", n, state, done, back, err)
		}
		at = noon.Add(11 * time.Minute)
		_, back, err = later.CompleteStale(t.Context())
		if err != nil || (back == 1) != (state == wire.Staging) {
			t.Errorf("after %d commands, state %q: took back %d, %v", n, state, back, err)
		}
		completed, takenBack = completed+done, takenBack+back
		if done == 1 {
			b := open(t, rdb)
			b.wantJob(t, j)
		} else if n := len(rdb.Keys(t.Context(), "postrider:*").Val()); n > 0 {
			t.Errorf("after %d commands %q are left", n, rdb.Keys(t.Context(), "postrider:*").Val())
		}
		if t.Failed() {
			return
		}
	}
	if completed < 10 || takenBack < 10 {
		t.Errorf("%d jobs were completed and %d taken back: the test proves too little", completed, takenBack)
	}
}
