package push_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

var errCrashed = errors.New("the process is gone")

// crash is a hook that lets some commands through and fails all that follow.
type crash struct {
	left int
	// late has the command that fails first reach Redis all the same: only its
	// answer is lost.
	late bool
}

// ours tells a sender's commands from those that go-redis begins a connection with.
func ours(cmd redis.Cmder) bool {
	return slices.Contains([]string{"sadd", "eval", "evalsha", "script"}, cmd.Name())
}

// pass tells how many of n commands reach Redis, and how many of them are answered.
func (c *crash) pass(n int) (sent, answered int) {
	answered = min(n, c.left)
	c.left -= answered
	sent = answered
	if c.late && sent < n {
		sent++
		c.late = false
	}
	return sent, answered
}

func (c *crash) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *crash) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !ours(cmd) {
			return next(ctx, cmd)
		}
		sent, answered := c.pass(1)
		if sent == 0 {
			cmd.SetErr(errCrashed)
			return errCrashed
		}
		err := next(ctx, cmd)
		if answered == 0 && !redis.HasErrorPrefix(err, "NOSCRIPT") {
			cmd.SetErr(errCrashed)
			return errCrashed
		}
		return err
	}
}

func (c *crash) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !ours(cmds[0]) {
			return next(ctx, cmds)
		}
		sent, answered := c.pass(len(cmds))
		var err error
		if sent > 0 {
			err = next(ctx, cmds[:sent])
		}
		if answered == len(cmds) {
			return err
		}
		for _, cmd := range cmds[answered:] {
			cmd.SetErr(errCrashed)
		}
		return errCrashed
	}
}

// crashing is a client of rdb's database that fails as the hook says.
func crashing(t *testing.T, rdb *redis.Client, hook *crash) *redis.Client {
	t.Helper()
	frail := redis.NewClient(&redis.Options{Addr: rdb.Options().Addr, DB: rdb.Options().DB, PoolSize: 1})
	t.Cleanup(func() { _ = frail.Close() })
	frail.AddHook(hook)
	return frail
}

// warm has Redis know the scripts, so that no command is spent on loading them.
func warm(t *testing.T, rdb *redis.Client) {
	t.Helper()
	c := newClient(t, rdb)
	for _, size := range []int{1, 1200} {
		if _, err := c.Enqueue(t.Context(), to(job("warm"+fmt.Sprint(size)), "three", tokens("t", size)...)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := begin(t, c, to(job("warm"), "three", tokens("t", 100)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	rdb.FlushDB(t.Context())
}

// TestAJobThatACrashCutShortIsCompletedByItsNextSending crashes the sender
// before and after every single command: before the seal, between the seal and
// the tasks, between two tasks, and before the end.
func TestAJobThatACrashCutShortIsCompletedByItsNextSending(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testing.T, *push.Client, push.Job) error{
		"by Enqueue": func(t *testing.T, c *push.Client, j push.Job) error {
			_, err := c.Enqueue(t.Context(), j)
			return err
		},
		"by a stream": func(t *testing.T, c *push.Client, j push.Job) error { return streamAll(t, c, j) },
	}
	for _, late := range []bool{false, true} {
		for way, send := range ways {
			t.Run(fmt.Sprintf("%s, answers lost: %v", way, late), func(t *testing.T) {
				t.Parallel()
				rdb := redistest.Client(t)
				warm(t, rdb)
				j := to(to(job("j"), "big", tokens("t", 1201)...), "five", tokens("f", 45)...)
				states := map[string]int{}
				crashes := 0
				for ; ; crashes++ {
					rdb.FlushDB(t.Context())
					err := send(t, newClient(t, crashing(t, rdb, &crash{left: crashes, late: late}), big), j)
					if err == nil {
						break
					}
					if !errors.Is(err, errCrashed) {
						t.Fatalf("crash %d: %v", crashes, err)
					}
					states[rdb.HGet(t.Context(), wire.JobKey("j"), wire.FieldState).Val()]++
					completed(t, rdb, send(t, newClient(t, rdb, big), j), j)
					if t.Failed() {
						t.Fatalf("after crash %d", crashes)
					}
				}
				if states[wire.Staging] == 0 || states[wire.Sealed] == 0 || crashes < 25 {
					t.Errorf("of %d crashes the states were %v: the test proves too little", crashes, states)
				}
			})
		}
	}
}

// completed demands that a job that was sent again is there, whole and once. It
// is a duplicate if the first sender was through and only did not hear of it.
func completed(t *testing.T, rdb *redis.Client, err error, j push.Job) {
	t.Helper()
	if err != nil && !errors.Is(err, push.ErrDuplicate) {
		t.Errorf("sent again: %v", err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
	n := 0
	for _, all := range j.Targets {
		n += len(all)
	}
	wantLedger(t, rdb, j.ID, n)
}

func TestSmallJobsAreThereWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	warm(t, rdb)
	jobs := append(ones(20), to(job("j"), "five", tokens("t", 23)...))
	for _, late := range []bool{false, true} {
		for n := 0; ; n++ {
			rdb.FlushDB(t.Context())
			out := newClient(t, crashing(t, rdb, &crash{left: n, late: late}), big).EnqueueMany(t.Context(), jobs)
			failed := out[0].Err != nil
			for _, o := range out {
				if (o.Err != nil) != failed || failed && !errors.Is(o.Err, errCrashed) {
					t.Fatalf("crash %d: %+v", n, o)
				}
			}
			if there := len(open(t, rdb).accepted); there != 0 && there != len(jobs) {
				t.Errorf("crash %d: %d of %d jobs are there", n, there, len(jobs))
			}
			newClient(t, rdb, big).EnqueueMany(t.Context(), jobs)
			if there := len(open(t, rdb).accepted); there != len(jobs) {
				t.Errorf("crash %d: sent again %d of %d jobs are there", n, there, len(jobs))
			}
			if !failed {
				break
			}
		}
	}
}

// half leaves a job half-enqueued: so many commands of its sender reached Redis.
func half(t *testing.T, rdb *redis.Client, j push.Job, commands int, wantState string) {
	t.Helper()
	warm(t, rdb)
	if err := streamAll(t, newClient(t, crashing(t, rdb, &crash{left: commands})), j); !errors.Is(err, errCrashed) {
		t.Fatalf("got %v, want a crash", err)
	}
	if state := rdb.HGet(t.Context(), wire.JobKey(j.ID), wire.FieldState).Val(); state != wantState {
		t.Fatalf("the ledger's state is %q, want %q", state, wantState)
	}
}

func TestAHalfEnqueuedJobThatComesBackChangedIsAConflict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*push.Job)
	}{
		{"another message", func(j *push.Job) { j.Message.Body = "Delivered" }},
		{"another app", func(j *push.Job) { j.App = "mini" }},
		{"another priority", func(j *push.Job) { j.Priority = push.High }},
		{"another delivery", func(j *push.Job) { j.Delivery = push.AtMostOnce }},
		{"another start", func(j *push.Job) { j.NotBefore = noon.Add(time.Nanosecond) }},
		{"another end", func(j *push.Job) { j.ExpiresAt = noon.Add(time.Second) }},
		{"another token at the beginning", func(j *push.Job) { j.Targets["three"][0] = "new" }},
		{"another order", func(j *push.Job) { s := j.Targets["three"]; s[0], s[89] = s[89], s[0] }},
		{"fewer tokens", func(j *push.Job) { j.Targets["three"] = j.Targets["three"][:30] }},
	} {
		for state, commands := range map[string]int{wire.Staging: 16, wire.Sealed: 31 + 4} {
			t.Run(c.name+" after "+state, func(t *testing.T) {
				t.Parallel()
				rdb := redistest.Client(t)
				j := to(job("j"), "three", tokens("t", 90)...)
				half(t, rdb, j, commands, state)
				changed := to(job("j"), "three", tokens("t", 90)...)
				c.change(&changed)
				if err := streamAll(t, newClient(t, rdb), changed); !errors.Is(err, push.ErrConflict) {
					t.Errorf("got %v, want ErrConflict", err)
				}
				if err := streamAll(t, newClient(t, rdb), j); err != nil {
					t.Errorf("as it was: %v", err)
				}
				b := open(t, rdb)
				b.wantJob(t, j)
			})
		}
	}
}

func TestTokensThatAreTheSameOnlyWhenStrungTogetherAreAConflict(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	first := to(job("j"), "three", append(tokens("t", 90), "ab", "cd")...)
	half(t, rdb, first, 31+1+1+3, wire.Sealed)
	again := to(job("j"), "three", append(tokens("t", 90), "abcd")...)
	if err := streamAll(t, newClient(t, rdb), again); !errors.Is(err, push.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	completed(t, rdb, streamAll(t, newClient(t, rdb), first), first)
}

func TestASealedJobIsNotTakenBackByItsOwnSender(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	warm(t, rdb)
	j := to(job("j"), "three", tokens("t", 90)...)
	hook := &crash{left: 30 + 1 + 1 + 3}
	s, err := begin(t, newClient(t, crashing(t, rdb, hook)), j)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context()); !errors.Is(err, errCrashed) || s.Unsealed() {
		t.Fatalf("got %v, unsealed %v, want a crash among the tasks", err, s.Unsealed())
	}
	hook.left = 1000 // Redis is back
	if err := s.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	completed(t, rdb, streamAll(t, newClient(t, rdb), j), j)
}

func TestOnlyTheTimeOfATimeCounts(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(job("j"), "three", tokens("t", 90)...)
	j.NotBefore, j.ExpiresAt = noon.Add(time.Second), noon.Add(time.Hour)
	half(t, rdb, j, 16, wire.Staging)
	j.NotBefore, j.ExpiresAt = j.NotBefore.Local(), j.ExpiresAt.In(time.FixedZone("CST", 8*3600))
	if err := streamAll(t, newClient(t, rdb), j); err != nil {
		t.Errorf("the same times in another zone: %v", err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
}

func TestAbortLeavesWhatAnEarlierSenderBegan(t *testing.T) {
	t.Parallel()
	for state, commands := range map[string]int{wire.Staging: 16, wire.Sealed: 31 + 4} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(job("j"), "three", tokens("t", 90)...)
			half(t, rdb, j, commands, state)
			before := rdb.DBSize(t.Context()).Val()
			s, err := begin(t, newClient(t, rdb), to(job("j"), "three", tokens("t", 40)...))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Abort(t.Context()); err != nil {
				t.Error(err)
			}
			if after := rdb.DBSize(t.Context()).Val(); after != before {
				t.Errorf("%d keys became %d", before, after)
			}
			completed(t, rdb, streamAll(t, newClient(t, rdb), j), j)
		})
	}
}

func TestTwoSendersOfAJobAtTheSameTime(t *testing.T) {
	t.Parallel()
	for turn := range 10 {
		t.Run(fmt.Sprint(turn), func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(to(job("j"), "three", tokens("t", 150)...), "five", tokens("f", 33)...)
			half(t, rdb, j, 5*turn, map[bool]string{true: wire.Staging}[turn > 0])
			errs := make([]error, 3)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() { errs[i] = streamAll(t, newClient(t, rdb), j) })
			}
			all.Wait()
			n := 0
			for _, err := range errs {
				if err == nil {
					n++
				} else if !errors.Is(err, push.ErrDuplicate) {
					t.Errorf("got %v, want ErrDuplicate", err)
				}
			}
			if n != 1 {
				t.Errorf("%d senders were accepted, want 1", n)
			}
			b := open(t, rdb)
			b.wantJob(t, j)
		})
	}
}

func TestOfTwoSendersOneMayGiveUp(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb)
	j := to(job("j"), "three", tokens("t", 60)...)
	first, err := begin(t, c, j)
	if err != nil {
		t.Fatal(err)
	}
	second, err := begin(t, c, j)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The first one's abort took the second one's chunks with it: they are the same.
	if _, err := second.Commit(t.Context()); !errors.Is(err, push.ErrConflict) {
		t.Errorf("the second: got %v, want ErrConflict", err)
	}
	if err := streamAll(t, c, j); err != nil {
		t.Errorf("sent again: %v", err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
}

func TestACommitThatFailedMayBeCalledAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	warm(t, rdb)
	j := to(job("j"), "three", tokens("t", 90)...)
	for n := 24; ; n++ {
		rdb.FlushDB(t.Context())
		hook := &crash{left: n}
		s, err := begin(t, newClient(t, crashing(t, rdb, hook)), j)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Commit(t.Context())
		if err == nil {
			break
		}
		hook.left = 1000 // Redis is back
		if got, err := s.Commit(t.Context()); err != nil || got.Chunks != 30 {
			t.Errorf("crash %d: again %+v, %v", n, got, err)
		}
		b := open(t, rdb)
		b.wantJob(t, j)
	}
}
