package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

const lane = "huawei:normal"

// startLooking starts a worker that searches for lost tasks all the time, so that
// what must end within two minutes ends within seconds.
func (r *rig) startLooking(c *config.Config, sweepEvery time.Duration) {
	r.Helper()
	o := r.options(c)
	o.LookEvery, o.SweepEvery = 100*time.Millisecond, sweepEvery
	r.startWith(o)
}

// click sends the request of a button of the UI.
func (r *rig) click(method, path, body string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.worker.URL()+path, strings.NewReader(body))
	r.must(err)
	req.SetBasicAuth("ops", password)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	r.must(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	r.must(err)
	if resp.StatusCode >= http.StatusMultipleChoices || strings.Contains(string(answer), `"failed_ids":["`) || strings.Contains(string(answer), `"error_ids":["`) {
		r.Errorf("%s %s answers %d %.300s", method, path, resp.StatusCode, answer)
	}
}

// press presses the button of a verb for all tasks of a state: one by one, as a
// selection, or with the button for all.
func (r *rig) press(state, verb, form string, ids []string) {
	r.Helper()
	list := "/api/queues/" + lane + "/" + state + "_tasks"
	switch form {
	case "all":
		method := http.MethodPost
		if verb == "delete" {
			method = http.MethodDelete
		}
		r.click(method, list+":"+verb+"_all", "")
	case "some":
		body, err := json.Marshal(map[string][]string{"task_ids": ids})
		r.must(err)
		r.click(http.MethodPost, list+":batch_"+verb, string(body))
	default:
		for _, id := range ids {
			if verb == "delete" {
				r.click(http.MethodDelete, list+"/"+id, "")
			} else {
				r.click(http.MethodPost, list+"/"+id+":"+verb, "")
			}
		}
	}
}

// enqueueForms enqueues a job of each form, with ids that begin with name, and
// returns how many tokens each has. There are formTasks tasks.
func (r *rig) enqueueForms(name string, change func(*push.Job)) map[string]int {
	r.Helper()
	want := map[string]int{}
	one := func(id string, n int) push.Job {
		want[name+id] = n
		j := push.Job{ID: name + id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"}}
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("%s%s-%d", name, id, i)
		}
		j.Targets = map[string][]string{"huawei": all}
		change(&j)
		return j
	}
	for _, j := range []push.Job{one("large", 2500), one("single", 1)} {
		_, err := r.client.Enqueue(r.Context(), j)
		r.must(err)
	}
	for _, o := range r.client.EnqueueMany(r.Context(), []push.Job{one("packed", 1), one("packed-too", 2)}) {
		r.must(o.Err)
	}
	return want
}

const formTasks = 5

// ids returns the ids of the tasks in a state.
func (r *rig) ids(state string) []string {
	r.Helper()
	key := "asynq:{" + lane + "}:" + state
	if state == "pending" || state == "active" {
		return r.rdb.LRange(r.Context(), key, 0, -1).Val()
	}
	return r.rdb.ZRange(r.Context(), key, 0, -1).Val()
}

// wantEnded waits until all jobs have ended, and demands that all their tokens have
// the outcome and that Redis has no work left.
func (r *rig) wantEnded(what string, jobs map[string]int, o wire.Outcome) {
	r.Helper()
	for id, n := range jobs {
		if st := r.ended(id); st.Count(o) != n || st.Accepted != n {
			r.Errorf("%s: job %s is %+v, want %d %s", what, id, st, n, o)
		}
	}
	r.eventually(what+": nothing is left", func() bool { return len(r.left()) == 0 })
}

// left returns the keys of unfinished work.
func (r *rig) left() []string {
	r.Helper()
	var all []string
	for _, pattern := range []string{"postrider:chunk:*", "postrider:open:*", "postrider:packed:*", "postrider:deleted:*", "postrider:message:*", "postrider:staged:*"} {
		all = append(all, r.rdb.Keys(r.Context(), pattern).Val()...)
	}
	return all
}

var forms = []string{"each", "some", "all"}

// Every ledger ends whichever button for tasks is pressed in the UI.
func TestEveryLedgerEndsAfterAnyActionInTheUI(t *testing.T) {
	t.Parallel()
	outcomes := map[string]wire.Outcome{"delete": wire.Canceled, "archive": wire.Dead, "run": wire.Delivered, "cancel": wire.Delivered}
	for state, c := range map[string]struct {
		verbs  []string
		sweep  time.Duration
		paused bool
		fault  []simulator.Fault
		change func(*push.Job)
	}{
		"pending":   {verbs: []string{"delete", "archive"}, paused: true},
		"scheduled": {verbs: []string{"delete", "archive", "run"}, change: func(j *push.Job) { j.NotBefore = time.Now().Add(time.Hour) }},
		"retry":     {verbs: []string{"delete", "archive", "run"}, fault: []simulator.Fault{{Endpoint: "send", Status: 500}}},
		// A short interval would let the sweeper end archived tasks before a button is pressed.
		"archived": {verbs: []string{"delete", "run"}, paused: true, sweep: time.Hour},
		"active":   {verbs: []string{"cancel"}, fault: []simulator.Fault{{Endpoint: "send", Delay: simulator.Duration(time.Second)}}},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Client(t))
			cfg := r.config("100001", secret)
			cfg.Retry.First = time.Minute
			cfg.Worker.Linger = 0
			if c.sweep == 0 {
				c.sweep = 200 * time.Millisecond
			}
			if c.change == nil {
				c.change = func(*push.Job) {}
			}
			r.startLooking(cfg, c.sweep)
			r.rdb.SAdd(t.Context(), wire.AsynqQueues, lane) // asynq knows a lane by its first task
			for _, verb := range c.verbs {
				for _, form := range forms {
					what := fmt.Sprintf("%s of %s tasks: %s", verb, state, form)
					if c.paused {
						r.click(http.MethodPost, "/api/queues/"+lane+":pause", "")
					}
					r.must(r.sim.SetFaults(c.fault))
					jobs := r.enqueueForms(fmt.Sprintf("%s-%s-", verb, form), c.change)
					if state == "archived" {
						r.press("pending", "archive", "all", nil)
					}
					r.eventually(what+": the tasks are there", func() bool { return len(r.ids(state)) == formTasks })
					if verb != "cancel" {
						r.must(r.sim.SetFaults(nil))
					}
					r.press(state, verb, form, r.ids(state))
					r.must(r.sim.SetFaults(nil))
					if c.paused {
						r.click(http.MethodPost, "/api/queues/"+lane+":resume", "")
					}
					r.wantEnded(what, jobs, outcomes[verb])
				}
			}
			if n := r.sim.Report().Vendors["huawei"].Duplicates; n > 0 && state != "active" {
				t.Errorf("%d tokens were sent twice", n)
			}
		})
	}
}

// Deleting a lane in the UI, which is possible only while it is empty, does not
// affect later tasks.
func TestALaneThatWasDeletedInTheUIWorksAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.startLooking(r.config("100001", secret), time.Second)
	r.wantEnded("before", r.enqueueForms("before-", func(*push.Job) {}), wire.Delivered)
	r.eventually("asynq has ended the tasks", func() bool { return len(r.ids("active"))+len(r.ids("pending")) == 0 })
	r.click(http.MethodDelete, "/api/queues/"+lane, "")
	r.wantEnded("after", r.enqueueForms("after-", func(*push.Job) {}), wire.Delivered)
}

// Every ledger ends whatever keys Redis loses.
func TestEveryLedgerEndsAfterLossesInRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose   func(r *rig)
		reason string
		only   string // the only affected job; "": all are affected
		want   wire.Outcome
	}{
		"chunks are evicted": {lose: func(r *rig) { r.drop("postrider:chunk:*") }, reason: "lost-task", want: wire.Dead},
		"a message is evicted": {
			lose: func(r *rig) { r.drop("postrider:message:*") }, reason: "unreadable", only: "large", want: wire.Dead,
		},
		"chunks cannot be read": {lose: func(r *rig) {
			for _, key := range r.rdb.Keys(r.Context(), "postrider:chunk:*").Val() {
				r.must(r.rdb.Set(r.Context(), key, "p2rubbish", redis.KeepTTL).Err())
			}
		}, reason: "unreadable", want: wire.Dead},
		"tasks and chunks are evicted": {lose: func(r *rig) { r.drop("postrider:chunk:*"); r.drop("asynq:*:t:*") }, reason: "lost-task", want: wire.Dead},
		"tasks are evicted":            {lose: func(r *rig) { r.drop("asynq:*:t:*") }, want: wire.Delivered},
		"chunks, tasks and the index are evicted": {
			lose: func(r *rig) {
				r.drop("postrider:chunk:*")
				r.drop("asynq:*:t:*")
				r.drop("postrider:open:*")
			}, reason: "lost-task", only: "large", want: wire.Dead,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Client(t))
			r.startLooking(r.config("100001", secret), 200*time.Millisecond)
			r.rdb.SAdd(t.Context(), wire.AsynqQueues, lane)
			r.click(http.MethodPost, "/api/queues/"+lane+":pause", "")
			jobs := r.enqueueForms("", func(*push.Job) {})
			c.lose(r)
			r.click(http.MethodPost, "/api/queues/"+lane+":resume", "")
			if c.only != "" {
				jobs = map[string]int{c.only: jobs[c.only]}
			}
			for id, n := range jobs {
				st := r.ended(id)
				reasons := 0
				for code, count := range st.Codes {
					if strings.HasSuffix(code, "/task/"+c.reason) {
						reasons += count
					}
				}
				if st.Count(c.want) != n || c.want == wire.Dead && reasons != n {
					t.Errorf("job %s is %+v, want %d %s %s", id, st, n, c.want, c.reason)
				}
			}
			r.eventually("no chunk is left", func() bool { return len(r.rdb.Keys(t.Context(), "postrider:chunk:*").Val()) == 0 })
			r.eventually("no job is open", func() bool {
				_, body := r.get("/metrics", "", "")
				return strings.Contains(body, "\npostrider_stuck_jobs 0\n")
			})
		})
	}
}

// drop deletes keys, as a full Redis may evict them.
func (r *rig) drop(pattern string) {
	r.Helper()
	keys := r.rdb.Keys(r.Context(), pattern).Val()
	if len(keys) == 0 {
		r.Fatalf("there is no key %s to delete", pattern)
	}
	r.must(r.rdb.Del(r.Context(), keys...).Err())
}

// failAfter is a Redis hook of a producer: after left commands all others fail.
type failAfter struct{ left atomic.Int64 }

var errDied = errors.New("the producer is dead")

func (d *failAfter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *failAfter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if (strings.HasPrefix(cmd.Name(), "eval") || cmd.Name() == "sadd") && d.left.Add(-1) < 0 {
			cmd.SetErr(errDied)
			return errDied
		}
		return next(ctx, cmd)
	}
}

func (d *failAfter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		n := int(min(max(d.left.Add(-int64(len(cmds)))+int64(len(cmds)), 0), int64(len(cmds))))
		var err error
		if n > 0 {
			err = next(ctx, cmds[:n])
		}
		if n == len(cmds) {
			return err
		}
		for _, cmd := range cmds[n:] {
			cmd.SetErr(errDied)
		}
		return errDied
	}
}

// A producer dies at each command in turn, and every other job is then canceled:
// each job is sent, canceled or removed, and no work is left.
func TestEveryLedgerEndsAtWhateverCommandAProducerDies(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	o := r.rdb.Options()
	cfg := r.config("100001", secret)
	r.enqueueForms("warm-", func(*push.Job) {}) // loads the scripts into Redis
	cut := 0
	for n := 0; ; n++ {
		failing := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, MaxRetries: -1})
		hook := &failAfter{}
		hook.left.Store(int64(n))
		failing.AddHook(hook)
		client, err := push.NewClient(failing, push.Options{
			Vendors: registry.ForClient(), Apps: cfg.ForClient(),
			Now: func() time.Time { return time.Now().Add(-11 * time.Minute) }, // long enough ago to be stale
		})
		r.must(err)
		id := fmt.Sprint("dies-", n)
		tokens := make([]string, 5500)
		for i := range tokens {
			tokens[i] = fmt.Sprintf("%s-%d", id, i)
		}
		_, err = client.Enqueue(t.Context(), push.Job{
			ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
			Targets: map[string][]string{"huawei": tokens},
		})
		r.must(failing.Close())
		if err == nil {
			break
		}
		if cut++; n%2 == 1 {
			if err := r.book.Cancel(t.Context(), id); err != nil && !errors.Is(err, ledger.ErrUnknown) {
				r.must(err)
			}
		}
	}
	r.startLooking(cfg, time.Second)
	sent, canceled, removed := 0, 0, 0
	for n := range cut {
		id := fmt.Sprint("dies-", n)
		r.eventually("job "+id+" has ended or was removed", func() bool {
			st, err := r.book.Status(t.Context(), id)
			return errors.Is(err, ledger.ErrUnknown) || err == nil && st.Ended()
		})
		switch st, err := r.book.Status(t.Context(), id); {
		case err != nil:
			removed++
		case st.Delivered == 5500:
			sent++
		case st.Canceled == st.Accepted:
			canceled++
		default:
			t.Errorf("job %s is %+v, want it sent, canceled or removed", id, st)
		}
	}
	if sent < 3 || canceled < 3 || removed < 3 {
		t.Errorf("%d jobs were sent, %d canceled and %d removed, want at least 3 of each", sent, canceled, removed)
	}
	r.eventually("nothing is left", func() bool { return len(r.left()) == 0 })
	if n := r.sim.Report().Vendors["huawei"].Duplicates; n > 0 {
		t.Errorf("%d tokens were sent twice", n)
	}
	_, body := r.get("/metrics", "", "")
	if strings.Contains(body, `postrider_tasks_recovered_total{reason="producer-died"} 0`) {
		t.Error("the metrics do not count producers that died")
	}
}

// This test uses the default intervals.
func TestACanceledJobIsCountedWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rate   float64
		paused bool
	}{"in a paused lane": {paused: true}, "in a lane at its rate": {rate: 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Client(t))
			cfg := r.config("100001", secret)
			huawei := cfg.Apps["shop"].Vendors["huawei"]
			if c.rate > 0 {
				huawei.Rate = &c.rate
			}
			cfg.Apps["shop"].Vendors["huawei"] = huawei
			r.start(cfg)
			r.rdb.SAdd(t.Context(), wire.AsynqQueues, lane)
			if c.paused {
				r.click(http.MethodPost, "/api/queues/"+lane+":pause", "")
			}
			jobs := r.enqueueForms("", func(*push.Job) {})
			for id := range jobs {
				if err := r.book.Cancel(t.Context(), id); err != nil && !errors.Is(err, ledger.ErrFinished) {
					r.must(err)
				}
			}
			r.within(10*time.Second, "all tokens are counted", func() bool {
				for id := range jobs {
					if st, err := r.book.Status(t.Context(), id); err != nil || st.Pending > 0 {
						return false
					}
				}
				return true
			})
		})
	}
}

// Tasks that wait for the rate limit after a job are sent when that job is canceled.
func TestTasksAfterACanceledJobAreSentAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	cfg := r.config("100001", secret)
	huawei, rate := cfg.Apps["shop"].Vendors["huawei"], 1000.0
	huawei.Rate = &rate
	cfg.Apps["shop"].Vendors["huawei"] = huawei
	tokens := make([]string, 100_000) // more than a minute's
	for i := range tokens {
		tokens[i] = fmt.Sprint("large-", i)
	}
	r.enqueue("large", tokens...)
	r.enqueue("small", "small-1", "small-2")
	r.start(cfg)
	r.eventually("the small job has its time at the rate limit", func() bool {
		return len(r.ids("pending")) == 0 && len(r.ids("retry")) > 90
	})
	r.must(r.book.Cancel(t.Context(), "large"))
	r.within(15*time.Second, "the small job is sent", func() bool {
		st, err := r.book.Status(t.Context(), "small")
		return err == nil && st.Delivered == 2
	})
}

func TestTheMetricsOfJobsExistFromTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.startLooking(r.config("100001", secret), time.Second)
	_, body := r.get("/metrics", "", "")
	for _, want := range []string{
		"postrider_open_jobs 0", "postrider_stuck_jobs 0",
		`postrider_tasks_recovered_total{reason="worker-died"} 0`, `postrider_tasks_recovered_total{reason="lost-task"} 0`,
		`postrider_tasks_recovered_total{reason="archived"} 0`, `postrider_tasks_recovered_total{reason="producer-died"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	r.rdb.SAdd(t.Context(), wire.AsynqQueues, lane)
	r.click(http.MethodPost, "/api/queues/"+lane+":pause", "")
	r.enqueueForms("", func(*push.Job) {})
	r.eventually("four jobs are open", func() bool {
		_, body := r.get("/metrics", "", "")
		return strings.Contains(body, "\npostrider_open_jobs 4\n") && strings.Contains(body, "\npostrider_stuck_jobs 0\n")
	})
	r.click(http.MethodPost, "/api/queues/"+lane+":resume", "")
	r.eventually("none is open", func() bool {
		_, body := r.get("/metrics", "", "")
		return strings.Contains(body, "\npostrider_open_jobs 0\n")
	})
}
