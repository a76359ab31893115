package worker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// day is a dispatcher with the real gate, ledger and tables on a simulated clock,
// which jumps from one due task to the next: a day takes a moment.
type day struct {
	*testing.T
	redis *miniredis.Miniredis
	rdb   *redis.Client
	began time.Time
	clock sync.Mutex
	at    time.Time
	spec  vendors.Spec
	acct  *account.Account
	gate  gate
	book  *ledger.Store
	d     *dispatch.Dispatcher

	mu   sync.Mutex
	sent map[string][]time.Duration // the times of requests by message title
	bad  map[string]classify.Code   // the answer to requests by message title
}

func (d *day) now() time.Time {
	d.clock.Lock()
	defer d.clock.Unlock()
	return d.at
}

// skippingGate is a gate that advances the simulated clock instead of letting a
// handler wait.
type skippingGate struct {
	gate
	d *day
}

func (p skippingGate) Admit(ctx context.Context, a *account.Account, l dispatch.Demand) (dispatch.Admission, error) {
	t, err := p.gate.Admit(ctx, a, l)
	if t.Wait > 0 && t.Wait <= time.Second {
		p.d.forward(p.d.now().Add(t.Wait))
		t.Wait = time.Millisecond
	}
	return t, err
}

func newDay(t *testing.T, vendor string) *day {
	t.Helper()
	spec, ok := registry.Find(vendor)
	if !ok {
		t.Fatalf("no vendor %s", vendor)
	}
	d := &day{T: t, redis: miniredis.RunT(t), spec: spec, sent: map[string][]time.Duration{}, bad: map[string]classify.Code{}}
	d.began = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	d.at = d.began
	d.redis.SetTime(d.at)
	d.rdb = redis.NewClient(&redis.Options{Addr: d.redis.Addr()})
	t.Cleanup(func() { _ = d.rdb.Close() })
	var v vendors.Vendor = fakeVendor{d}
	if spec.MaxMixed > 0 {
		v = fakeMixedVendor{fakeVendor{d}}
	}
	d.acct = &account.Account{App: "shop", Spec: spec, Vendor: v, Codes: spec.Codes, Batch: min(spec.Batch, 50), Timeout: 10 * time.Second, Shared: true}
	d.book = &ledger.Store{Redis: d.rdb, Now: d.now}
	d.gate = gate{limiter: &limit.Limiter{Redis: d.rdb, Now: d.now}, meter: metrics.New(), log: zerolog.Nop(), now: d.now}
	d.d = dispatch.New(dispatch.Config{
		Book: d.book, Gate: skippingGate{d.gate, d}, Meter: metrics.New(), Requests: 1, Log: zerolog.Nop(), Now: d.now,
		Account: func(string, string) (*account.Account, bool) { return d.acct, true },
		Policy:  retry.Policy{Attempts: 8, First: time.Second, Max: 10 * time.Minute},
	})
	return d
}

// fakeVendor answers success, or the code in bad for a message's title.
type fakeVendor struct{ d *day }

func (v fakeVendor) Send(_ context.Context, r *vendors.Request) (vendors.Answer, error) {
	return v.answer([]*vendors.Request{r})
}

// fakeMixedVendor takes different messages in one request, and does not say which
// of them caused an error.
type fakeMixedVendor struct{ fakeVendor }

func (v fakeMixedVendor) SendMixed(_ context.Context, rs []*vendors.Request) (vendors.Answer, error) {
	return v.answer(rs)
}

func (v fakeVendor) answer(rs []*vendors.Request) (vendors.Answer, error) {
	d := v.d
	d.mu.Lock()
	defer d.mu.Unlock()
	a := vendors.Answer{Code: classify.Code{Level: classify.Response, Code: d.success()}}
	at := 0
	for _, r := range rs {
		title := r.Message.Title
		d.sent[title] = append(d.sent[title], d.now().Sub(d.began))
		code, bad := d.bad[title]
		for i := range r.Tokens {
			if bad && code.Level == classify.Token {
				a.Tokens = append(a.Tokens, vendors.TokenCode{Index: at + i, Code: code})
			}
		}
		if bad && code.Level != classify.Token {
			a.Code = code
		}
		at += len(r.Tokens)
	}
	return a, nil
}

func (d *day) success() string {
	for _, r := range d.spec.Codes.Explain("") {
		if r.Level == classify.Response && r.Class == classify.Success {
			return r.Code
		}
	}
	d.Fatal("no code for success")
	return ""
}

// dueTask is a task with the time at which it is due.
type dueTask struct {
	lane string
	task queue.Task
	due  time.Time
}

// enqueue enqueues jobs in one call of the client and takes their tasks.
func (d *day) enqueue(jobs ...push.Job) []*dueTask {
	d.Helper()
	client, err := push.NewClient(d.rdb, push.Options{Vendors: []push.Vendor{{Name: d.spec.Name, Batch: d.acct.Batch}}, Now: d.now})
	if err != nil {
		d.Fatal(err)
	}
	for _, o := range client.EnqueueMany(d.Context(), jobs) {
		if o.Err != nil {
			d.Fatal(o.Err)
		}
	}
	var all []*dueTask
	for _, p := range push.Priorities() {
		lane := wire.Lane(d.spec.Name, string(p))
		for _, id := range slices.Backward(d.rdb.LRange(d.Context(), wire.PendingKey(lane), 0, -1).Val()) {
			msg := d.rdb.HGet(d.Context(), wire.TaskKey(lane, id), "msg").Val()
			all = append(all, &dueTask{lane, queue.Task{ID: id, Payload: payload(msg)}, d.now()})
		}
		d.rdb.Del(d.Context(), wire.PendingKey(lane))
	}
	return all
}

// payload is field 2 of asynq's TaskMessage.
func payload(msg string) []byte {
	b := []byte(msg)
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		b = b[n:]
		if field == 2 && kind == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b)
			return v
		}
		b = b[protowire.ConsumeFieldValue(field, kind, b):]
	}
	return nil
}

// run handles the tasks, each when it is due, until all have ended or until is reached.
func (d *day) run(until time.Duration, all []*dueTask) (left []*dueTask) {
	d.Helper()
	for len(all) > 0 {
		next := slices.MinFunc(all, func(a, b *dueTask) int { return a.due.Compare(b.due) })
		if next.due.Sub(d.began) > until {
			d.forward(d.began.Add(until))
			return all
		}
		d.forward(next.due)
		err := d.d.Handle(d.Context(), next.lane, next.task)
		if again, ok := errors.AsType[*queue.AgainError](err); ok {
			next.due = again.At.Truncate(time.Second).Add(time.Second) // as asynq requeues it
			continue
		}
		if _, dead := errors.AsType[*queue.DeadError](err); err != nil && !dead {
			d.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(e *dueTask) bool { return e == next })
	}
	return nil
}

func (d *day) forward(to time.Time) {
	d.clock.Lock()
	defer d.clock.Unlock()
	if to.After(d.at) {
		d.redis.FastForward(to.Sub(d.at))
		d.at = to
		d.redis.SetTime(to)
	}
}

func (d *day) job(id, title string, tokens int) push.Job {
	j := push.Job{ID: id, App: "shop", Message: push.Message{Title: title, Body: "body"}, ExpiresAt: d.began.Add(24 * time.Hour)}
	var list []string
	for i := range tokens {
		list = append(list, fmt.Sprintf("%s-token-%d", id, i))
	}
	j.Targets = map[string][]string{d.spec.Name: list}
	return j
}

func (d *day) status(id string) ledger.Status {
	d.Helper()
	st, err := d.book.Status(d.Context(), id)
	if err != nil {
		d.Fatal(err)
	}
	return st
}

// byMessage are codes that a single message can cause and that must not stop the app.
var byMessage = []struct {
	vendor string
	level  classify.Level
	codes  string
}{
	{"huawei", classify.Response, "80300011 80300028"},
	{"harmony", classify.Response, "80300011 80300028"},
	{"harmony", classify.Token, "noPushTypeRight noRightToSendThisLiveNotificationEvent"},
	{"meizu", classify.Response, "110053"},
	{"vivo", classify.Response, "10110 10082 10044 10045"},
	{"honor", classify.Response, "80200020 80200022"},
	{"oppo", classify.Response, "27 54"},
	{"tim", classify.Response, "90045"},
	{"xiaomi", classify.Response, "27001"},
}

func TestABadJobDelaysNoOtherJob(t *testing.T) {
	t.Parallel()
	for _, c := range byMessage {
		for code := range strings.FieldsSeq(c.codes) {
			for name, tokens := range map[string]int{"a single message": 1, "many chunks": 260} {
				t.Run(c.vendor+" "+code+" "+name, func(t *testing.T) {
					t.Parallel()
					d := newDay(t, c.vendor)
					d.bad["bad"] = classify.Code{Level: c.level, Code: code}
					jobs := []push.Job{d.job("bad", "bad", tokens)}
					for i := range 30 {
						jobs = append(jobs, d.job(fmt.Sprint("good-", i), fmt.Sprint("good ", i%3), 1+i%2))
					}
					left := d.run(time.Minute, d.enqueue(jobs...))
					for _, j := range jobs[1:] {
						if st := d.status(j.ID); st.Delivered != st.Accepted {
							t.Errorf("%s: %+v, want it delivered", j.ID, st)
						}
					}
					for title, times := range d.sent {
						if last := slices.Max(times); last > 20*time.Second {
							t.Errorf("%q was sent last after %v", title, last)
						}
					}
					before := len(d.sent["bad"])
					if st := d.status("bad"); st.Pending != tokens || before == 0 || before > 8 {
						t.Errorf("after a minute bad has %d pending and was sent %d times", st.Pending, before)
					}
					left = d.run(5*time.Minute, append(left, d.enqueue(d.job("late", "late", 3))...))
					if st := d.status("late"); st.Delivered != 3 {
						t.Errorf("a job that was enqueued later: %+v", st)
					}
					left = d.run(23*time.Hour, left)
					// After 1, 2, 4, 8 and 16 minutes, then every half hour: 50 in a day.
					if n := len(d.sent["bad"]) - before; n < 40 || n > 52 {
						t.Errorf("bad was sent %d times more in 23 hours, want one request for each wait", n)
					}
					d.run(25*time.Hour, left)
					if st := d.status("bad"); st.Expired != tokens {
						t.Errorf("at its end bad is %+v, want it expired", st)
					}
				})
			}
		}
	}
}

// Once an operator has corrected the cause, the parked job continues with its next probe.
func TestAParkedJobContinuesOnceTheVendorAcceptsIt(t *testing.T) {
	t.Parallel()
	d := newDay(t, "huawei")
	d.bad["bad"] = classify.Code{Level: classify.Response, Code: "80300011"}
	left := d.run(10*time.Minute, d.enqueue(d.job("bad", "bad", 260)))
	clear(d.bad)
	if left = d.run(20*time.Minute, left); len(left) > 0 {
		t.Errorf("%d chunks are left ten minutes after the mistake was corrected", len(left))
	}
	if st := d.status("bad"); st.Delivered != 260 {
		t.Errorf("got %+v, want it delivered", st)
	}
	if st, err := d.gate.limiter.State(t.Context(), key(d.acct)); err != nil || st.AllParked != 0 {
		t.Errorf("%d jobs are parked, %v", st.AllParked, err)
	}
}

func TestACancelEndsAParkedJob(t *testing.T) {
	t.Parallel()
	d := newDay(t, "huawei")
	d.bad["bad"] = classify.Code{Level: classify.Response, Code: "80300011"}
	left := d.run(time.Minute, d.enqueue(d.job("bad", "bad", 120)))
	if err := d.book.Cancel(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		e.due = d.at // as Hasten does
	}
	d.run(2*time.Minute, left)
	if st := d.status("bad"); st.Canceled != 120 {
		t.Errorf("got %+v, want it canceled", st)
	}
}

// With scope app, the first job is parked, and a second one stops the app.
func TestASecondJobWithACodeOfTheAppStopsTheApp(t *testing.T) {
	t.Parallel()
	for vendor, code := range map[string]string{"huawei": "80300002", "oppo": "30", "vivo": "10043", "xiaomi": "21303", "meizu": "1006", "tim": "72000", "honor": "10205"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, vendor)
			all := []*dueTask(nil)
			stopped := func() bool {
				st, err := d.gate.limiter.State(t.Context(), key(d.acct))
				return err == nil && st.Stop != nil && st.Stop.Kind == limit.Misconfigured
			}
			for _, id := range []string{"bad-1", "bad-2"} {
				d.bad[id] = classify.Code{Level: classify.Response, Code: code}
			}
			all = append(d.run(5*time.Second, append(all, d.enqueue(d.job("bad-1", "bad-1", 1))...)), d.enqueue(d.job("good", "good", 1))...)
			all = d.run(10*time.Second, all)
			if st := d.status("good"); st.Delivered != 1 || stopped() {
				t.Fatalf("after one job's error: good is %+v, stopped %v", st, stopped())
			}
			all = d.run(15*time.Second, append(all, d.enqueue(d.job("bad-2", "bad-2", 1))...))
			if !stopped() {
				t.Fatal("two jobs got the code, but the app is not stopped")
			}
			all = d.run(20*time.Second, append(all, d.enqueue(d.job("late", "late", 1))...))
			if n := len(d.sent["late"]); n != 0 {
				t.Error("a stopped app's job was sent")
			}
			d.run(5*time.Minute, all)
			if st := d.status("late"); st.Delivered != 1 {
				t.Errorf("after its probe succeeded: %+v", st)
			}
		})
	}
}

// The vendor answers every request for a token with one code for a day.
func TestNoTokenIsSentMoreOftenThanItsRowAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vendor, code string
		level        classify.Level
		want         int
		apart        time.Duration // at least, between the first two
	}{
		{"meizu", "520", classify.Token, 2, time.Minute}, // 960 once
		{"xiaomi", "10030", classify.Response, 2, time.Second},
		{"xiaomi", "10032", classify.Response, 2, time.Second},
		{"xiaomi", "10039", classify.Response, 2, time.Second},
		{"xiaomi", "26004", classify.Response, 2, time.Second},
		{"xiaomi", "26005", classify.Response, 2, time.Second},
		{"xiaomi", "65006", classify.Response, 2, time.Second},
		{"xiaomi", "66109", classify.Response, 2, time.Minute}, // config, with tries
		{"vivo", "10084", classify.Response, 2, time.Second},
		{"huawei", "80300013", classify.Response, 1, 0},
		{"huawei", "4711", classify.Response, 2, time.Millisecond}, // an unknown code
	} {
		t.Run(c.vendor+" "+c.code, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, c.vendor)
			d.bad["bad"] = classify.Code{Level: c.level, Code: c.code}
			if left := d.run(24*time.Hour, d.enqueue(d.job("bad", "bad", 1))); len(left) > 0 {
				t.Errorf("the job has not ended after a day")
			}
			if got := d.sent["bad"]; len(got) != c.want || c.want > 1 && got[1]-got[0] < c.apart {
				t.Errorf("sent at %v, want %d times, %v apart", got, c.want, c.apart)
			}
			if st := d.status("bad"); st.Dead != 1 {
				t.Errorf("got %+v, want it dead", st)
			}
			dead := d.rdb.XRange(t.Context(), wire.DeadStream, "-", "+").Val()
			if len(dead) != 1 || dead[0].Values["reason"] != "attempts" {
				t.Errorf("the dead letters are %v, want one with reason attempts", dead)
			}
		})
	}
}

// A code of one token without tries: the token waits longer each time, until its
// job expires.
func TestATokenWithoutTriesWaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vendor, code string
		most         int
	}{{"meizu", "518", 110}, {"vivo", "4", 55}} {
		t.Run(c.vendor+" "+c.code, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, c.vendor)
			d.bad["bad"] = classify.Code{Level: classify.Token, Code: c.code}
			d.run(25*time.Hour, d.enqueue(d.job("bad", "bad", 1)))
			if n := len(d.sent["bad"]); n < 20 || n > c.most {
				t.Errorf("sent %d times in a day, want at most %d", n, c.most)
			}
			if st := d.status("bad"); st.Expired != 1 {
				t.Errorf("got %+v, want it expired", st)
			}
		})
	}
}

func TestChunksOfOneJobDoNotCountAsASecondJob(t *testing.T) {
	t.Parallel()
	d := newDay(t, "huawei")
	d.bad["bad"] = classify.Code{Level: classify.Response, Code: "80300002"}
	d.run(12*time.Hour, d.enqueue(d.job("bad", "bad", 260)))
	if st, err := d.gate.limiter.State(t.Context(), key(d.acct)); err != nil || st.Stop != nil || st.AllParked != 1 {
		t.Errorf("got %+v, %v: one job stopped its app", st, err)
	}
	if n := len(d.sent["bad"]); n > 30 {
		t.Errorf("sent %d times in 12 hours", n)
	}
}

// OPPO's 13 may mean the rate or the daily quota: after ten minutes it is treated as the quota.
func TestAmbiguousFlowControlIsTreatedAsAQuotaAfterTenMinutes(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("oppo")
	acct := &account.Account{App: "shop", Spec: spec, Batch: 1, Timeout: 10 * time.Second}
	row, _ := spec.Codes.Lookup(classify.Response, "13")
	g := newGates(t, 2)
	probes := 0
	for start := g.at; g.at.Sub(start) < 11*time.Minute; g.forward(200 * time.Millisecond) {
		tk, err := g.all[probes%2].Admit(t.Context(), acct, dispatch.Demand{Units: 1})
		if err != nil {
			t.Fatal(err)
		}
		if tk.Wait > 0 {
			continue
		}
		probes++
		g.all[probes%2].Answered(t.Context(), acct, tk, said(row, 0))
	}
	if probes < 40 || probes > 60 {
		t.Errorf("%d requests in eleven minutes, want one about every 15 s", probes)
	}
	midnight := time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC) // in Beijing
	if got := g.admit(acct, nil); got.Wait != midnight.Sub(g.at) {
		t.Errorf("it waits %v, want until midnight in Beijing, %v", got.Wait, midnight.Sub(g.at))
	}
	g.forward(midnight.Sub(g.at))
	if got := g.admit(acct, nil); got.Wait > 0 || got.Probe != "" {
		t.Errorf("the next day: %+v, want it admitted", got)
	}
}

// The log must not report a successful probe when Redis failed.
func TestTheLogDistinguishesAFailureFromASuccessfulProbe(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("huawei")
	acct := &account.Account{App: "shop", Spec: spec, Batch: 1, Timeout: 10 * time.Second}
	ok, _ := spec.Codes.Lookup(classify.Response, "80000000")
	g := newGates(t, 1)
	var out bytes.Buffer
	g.all[0].log = zerolog.New(&out)
	g.redis.SetError("LOADING")
	g.all[0].Answered(t.Context(), acct, dispatch.Admission{Probe: "mine", JobProbe: "mine", Tried: []string{"a"}}, said(ok, 0))
	if text := out.String(); strings.Contains(text, "well") && strings.Contains(text, "sending again") || strings.Count(text, `"level":"warn"`) != 2 {
		t.Errorf("the log says %s", cmp.Or(text, "nothing"))
	}
}
