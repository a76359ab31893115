package worker

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// gates are the gates of several workers on one Redis, with the same clock.
type gates struct {
	*testing.T
	redis *miniredis.Miniredis
	at    time.Time
	all   []gate
	stops atomic.Int64
}

// Stopped counts stops.
func (g *gates) Stopped(string, string, string) { g.stops.Add(1) }

func newGates(t *testing.T, workers int) *gates {
	t.Helper()
	g := &gates{T: t, redis: miniredis.RunT(t), at: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)} // a Saturday, 11:00 in Beijing
	g.redis.SetTime(g.at)
	rdb := redis.NewClient(&redis.Options{Addr: g.redis.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	now := func() time.Time { return g.at }
	for range workers {
		g.all = append(g.all, gate{limiter: &limit.Limiter{Redis: rdb, Now: now}, meter: g, log: zerolog.Nop(), now: now})
	}
	return g
}

func (g *gates) forward(d time.Duration) {
	g.at = g.at.Add(d)
	g.redis.SetTime(g.at)
	g.redis.FastForward(d)
}

// admit asks every worker's gate and returns the first answer. All must agree on
// whether to wait.
func (g *gates) admit(a *account.Account, buckets []string) dispatch.Admission {
	g.Helper()
	var first dispatch.Admission
	for i, one := range g.all {
		t, err := one.Admit(g.Context(), a, dispatch.Demand{Units: 1, Priority: push.Normal, Buckets: buckets})
		if err != nil {
			g.Fatal(err)
		}
		if i > 0 && (t.Wait > 0) != (first.Wait > 0) {
			g.Errorf("worker %d gets %+v, the first %+v", i+1, t, first)
		}
		if i == 0 {
			first = t
		}
	}
	return first
}

// kinds are messages that together cover every bucket.
func kinds() []push.Message {
	return []push.Message{
		{Title: "service"}, {Class: push.Marketing}, {Class: push.Marketing, Category: "NEWS"}, {Test: true},
		{Channel: "a"}, {Channel: "b"}, {Class: push.Marketing, Channel: "b"},
	}
}

func TestAUsedUpQuotaStopsOnlyItsBucketUntilItsWindow(t *testing.T) {
	t.Parallel()
	for _, spec := range registry.All() {
		for _, row := range spec.Codes.Explain("") {
			if row.Remedy == classify.WaitQuota && row.Bucket != "" {
				t.Run(row.Key(), func(t *testing.T) { t.Parallel(); checkUsedUp(t, spec, row) })
			}
		}
	}
}

func checkUsedUp(t *testing.T, spec vendors.Spec, row classify.Row) {
	t.Helper()
	a := &account.Account{App: "shop", Spec: spec, Batch: spec.Batch, Timeout: 10 * time.Second}
	for _, m := range kinds() {
		g := newGates(t, 2)
		mine := spec.Buckets(&m, 2)
		concerned := vendors.OfBucket(mine, row.Bucket)
		g.all[0].Answered(t.Context(), a, dispatch.Admission{Buckets: mine}, said(row, 0))
		g.forward(200 * time.Millisecond)
		inBucket := slices.ContainsFunc(mine, func(b string) bool { return slices.Contains(concerned, b) })
		window := row.Window.Next(g.at)
		check := func(other push.Message, tokens int, want bool) {
			t.Helper()
			got := g.admit(a, spec.Buckets(&other, tokens))
			if (got.Wait > 0) != want || want && got.Wait != window.Sub(g.at) {
				t.Errorf("after %s to %+v a request with %+v to %d waits %v, want it to wait: %v", row.Code, m, other, tokens, got.Wait, want)
			}
		}
		check(m, 2, inBucket)
		for _, other := range kinds() {
			for _, tokens := range []int{1, 2} {
				shared := slices.ContainsFunc(spec.Buckets(&other, tokens), func(b string) bool { return slices.Contains(concerned, b) })
				check(other, tokens, shared)
			}
		}
		g.forward(window.Sub(g.at) - time.Second)
		check(m, 2, inBucket)
		g.forward(time.Second)
		check(m, 2, false)
	}
}

// A server error comes at once and may concern the message: it stops nothing.
func TestErrorsOfAServerStopNothing(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("huawei")
	a := &account.Account{App: "shop", Spec: spec, Batch: spec.Batch, Timeout: 10 * time.Second}
	bad, _ := spec.Codes.Lookup(classify.HTTP, "502")
	g := newGates(t, 1)
	for i := range 30 {
		g.all[0].Answered(t.Context(), a, dispatch.Admission{}, said(bad, 0))
		g.forward(time.Second)
		if got := g.admit(a, nil); got.Wait > 0 {
			t.Fatalf("after %d answers it waits %v", i+1, got.Wait)
		}
	}
}

// An app's pause concerns only the app. A Redis that does not answer concerns every
// app, and the wait for the rate limit is no pause.
func TestAnAdmissionTellsWhetherTheWaitIsAPause(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("huawei")
	a := &account.Account{App: "shop", Spec: spec, Batch: spec.Batch, Rate: 1, Timeout: 10 * time.Second}
	g := newGates(t, 1)
	g.admit(a, nil)
	if got := g.admit(a, nil); got.Wait == 0 || got.Paused {
		t.Errorf("over the rate: %+v, want a wait that is not a pause", got)
	}
	slow, _ := spec.Codes.Lookup(classify.HTTP, "503")
	g.all[0].Answered(t.Context(), a, dispatch.Admission{}, said(slow, 0))
	if got := g.admit(a, nil); got.Wait == 0 || !got.Paused {
		t.Errorf("after a 503: %+v, want a pause", got)
	}
	g.redis.Close()
	other := &account.Account{App: "news", Spec: spec, Batch: spec.Batch, Timeout: 10 * time.Second}
	if got := g.admit(other, nil); got.Wait == 0 || got.Paused {
		t.Errorf("without Redis: %+v, want a wait that is not a pause", got)
	}
}

func TestWhichQuotaStopsWhat(t *testing.T) {
	t.Parallel()
	news, offer, order := push.Message{Class: push.Marketing, Category: "NEWS"}, push.Message{Class: push.Marketing}, push.Message{}
	test, a, b := push.Message{Test: true}, push.Message{Channel: "a"}, push.Message{Channel: "b"}
	for _, c := range []struct {
		vendor, level, code string
		to                  push.Message
		waits, passes       []push.Message
		until               string // in Beijing; now is Saturday, 2026-11-21 11:00
	}{
		{"vivo", "response", "10070", news, []push.Message{news, offer}, []push.Message{order}, "2026-11-22T00:00:00+08:00"},
		{"vivo", "response", "10071", news, []push.Message{news, offer}, []push.Message{order}, "2026-11-22T07:00:00+08:00"},
		{"vivo", "response", "10073", order, []push.Message{order}, []push.Message{news, offer}, "2026-11-22T00:00:00+08:00"},
		{"vivo", "response", "10112", offer, []push.Message{offer}, []push.Message{news, order}, "2026-11-23T00:00:00+08:00"},
		{"oppo", "response", "33", offer, []push.Message{news, offer}, []push.Message{order}, "2026-11-22T00:00:00+08:00"},
		{"oppo", "response", "34", order, nil, []push.Message{news, offer, order}, ""},
		{"xiaomi", "response", "200001", a, []push.Message{a}, []push.Message{b, order}, "2026-11-22T00:00:00+08:00"},
		{"xiaomi", "token", "channel_exceed_quota", order, []push.Message{order}, []push.Message{a, b}, "2026-11-22T00:00:00+08:00"},
		{"huawei", "response", "80300029", test, []push.Message{test}, []push.Message{order, offer}, "2026-11-22T00:00:00+08:00"},
		{"harmony", "response", "80300029", test, []push.Message{test}, []push.Message{order, offer}, "2026-11-22T00:00:00+08:00"},
		{"meizu", "response", "110019", order, []push.Message{order, offer}, nil, "2026-11-22T00:00:00+08:00"},
		{"tim", "response", "90047", order, []push.Message{order, offer}, nil, "2026-11-22T00:00:00+08:00"},
	} {
		t.Run(c.vendor+" "+c.code, func(t *testing.T) {
			t.Parallel()
			spec, _ := registry.Find(c.vendor)
			row, known := spec.Codes.Lookup(classify.Level(c.level), c.code)
			if !known {
				t.Fatal("the table no longer has the code")
			}
			acct := &account.Account{App: "shop", Spec: spec, Batch: spec.Batch, Timeout: time.Second}
			g := newGates(t, 1)
			g.all[0].Answered(t.Context(), acct, dispatch.Admission{Buckets: spec.Buckets(&c.to, 1)}, said(row, 0))
			for _, m := range c.waits {
				got := g.at.Add(g.admit(acct, spec.Buckets(&m, 1)).Wait)
				if want, _ := time.Parse(time.RFC3339, c.until); !got.Equal(want) {
					t.Errorf("%+v waits until %v, want %v", m, got, want)
				}
			}
			for _, m := range c.passes {
				if got := g.admit(acct, spec.Buckets(&m, 1)); got.Wait > 0 {
					t.Errorf("%+v waits %v (%s), want it sent", m, got.Wait, got.Why)
				}
			}
		})
	}
}

func TestAQuotaWithoutABucketStopsAllOfTheAppOrNothing(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("honor")
	acct := &account.Account{App: "shop", Spec: spec, Batch: 1, Timeout: time.Second}
	row := classify.Row{Vendor: "honor", Level: classify.Response, Code: "1", Class: classify.Retryable, Remedy: classify.WaitQuota, Scope: classify.ScopeBatch}
	g := newGates(t, 1)
	g.all[0].Answered(t.Context(), acct, dispatch.Admission{}, said(row, 0))
	if got := g.admit(acct, nil); got.Wait != 0 {
		t.Errorf("others wait %v for a quota that concerns one request", got.Wait)
	}
	row.Scope = classify.ScopeApp
	g.all[0].Answered(t.Context(), acct, dispatch.Admission{}, said(row, 0))
	if got := g.admit(acct, nil); got.Wait != 13*time.Hour {
		t.Errorf("others wait %v, want until midnight", got.Wait)
	}
}

func TestAStoppedAccountIsProbedByOneOfAllWorkers(t *testing.T) {
	t.Parallel()
	row := func(l classify.Level, code string) classify.Row {
		spec, _ := registry.Find("huawei")
		r, _ := spec.Codes.Lookup(l, code)
		return r
	}
	for name, c := range map[string]struct {
		row   classify.Row
		times int
		pause time.Duration
	}{
		"wrong credentials":   {row(classify.Auth, "1101"), 1, time.Minute},
		"too fast":            {row(classify.HTTP, "503"), 1, time.Second},
		"no answers in a row": {row(classify.Transport, classify.Timeout), 10, time.Second},
		"no connections":      {row(classify.Transport, classify.Dial), 10, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, _ := registry.Find("huawei")
			acct := &account.Account{App: "shop", Spec: spec, Batch: 1000, Timeout: 10 * time.Second}
			other := &account.Account{App: "bank", Spec: spec, Batch: 1000, Timeout: 10 * time.Second}
			g := newGates(t, 4)
			for i := range c.times {
				if got := g.admit(acct, nil); got.Wait > 0 {
					t.Errorf("it waits %v after %d answers", got.Wait, i)
				}
				g.all[i%4].Answered(t.Context(), acct, dispatch.Admission{}, said(c.row, 0))
			}
			g.forward(200 * time.Millisecond)
			if got := g.admit(acct, nil); got.Wait != c.pause-200*time.Millisecond {
				t.Errorf("it waits %v, want %v", got.Wait, c.pause)
			}
			if got := g.admit(other, nil); got.Wait > 0 {
				t.Errorf("another app waits %v", got.Wait)
			}
			g.forward(c.pause)
			var tickets []dispatch.Admission
			for i := range 40 {
				tk, err := g.all[i%4].Admit(t.Context(), acct, dispatch.Demand{Units: 1})
				if err != nil {
					t.Fatal(err)
				}
				if tk.Wait == 0 {
					tickets = append(tickets, tk)
				}
			}
			if len(tickets) != 1 || tickets[0].Probe == "" || g.stops.Load() != 1 {
				t.Fatalf("%d of 40 requests may be made after %d stops, want one probe after one", len(tickets), g.stops.Load())
			}
			g.all[0].Answered(t.Context(), acct, tickets[0], said(row(classify.Response, "80000000"), 0))
			g.forward(time.Second)
			if got := g.admit(acct, nil); got.Wait > 0 || got.Probe != "" {
				t.Errorf("after a success it gets %+v", got)
			}
		})
	}
}

// One answer may say that the app is too fast for some tokens, and success for
// the others.
func TestASuccessInTheSameAnswerDoesNotEndAStop(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("huawei")
	acct := &account.Account{App: "shop", Spec: spec, Batch: 1, Timeout: 10 * time.Second}
	slow, _ := spec.Codes.Lookup(classify.HTTP, "503")
	ok, _ := spec.Codes.Lookup(classify.Response, "80000000")
	both := slices.Concat(said(slow, 0), said(ok, 0))
	g := newGates(t, 1)
	g.all[0].Answered(t.Context(), acct, dispatch.Admission{}, both)
	for range 3 {
		g.forward(200 * time.Millisecond)
		got := g.admit(acct, nil)
		if got.Wait == 0 || !got.Paused {
			t.Fatalf("got %+v, want the app stopped", got)
		}
		g.forward(got.Wait)
		probe := g.admit(acct, nil)
		if probe.Wait > 0 || probe.Probe == "" {
			t.Fatalf("got %+v, want a probe", probe)
		}
		g.all[0].Answered(t.Context(), acct, probe, both)
	}
	g.forward(time.Minute)
	g.all[0].Answered(t.Context(), acct, g.admit(acct, nil), said(ok, 0))
	g.forward(200 * time.Millisecond)
	if got := g.admit(acct, nil); got.Wait > 0 || got.Probe != "" {
		t.Errorf("after a success: %+v, want it to go on", got)
	}
}

func TestAProbeThatFindsNoPermitIsReturned(t *testing.T) {
	t.Parallel()
	spec, _ := registry.Find("huawei")
	acct := &account.Account{App: "shop", Spec: spec, Batch: 1, Rate: 1, Timeout: 10 * time.Second}
	g := newGates(t, 1)
	g.admit(acct, nil)
	g.all[0].Answered(t.Context(), acct, dispatch.Admission{}, said(classify.Row{Remedy: classify.SlowDown, Scope: classify.ScopeApp}, time.Millisecond))
	g.forward(101 * time.Millisecond)
	if got := g.admit(acct, nil); got.Wait == 0 || got.Probe != "" {
		t.Fatalf("got %+v, want it to wait for a permit", got)
	}
	g.forward(3 * time.Second)
	if got := g.admit(acct, nil); got.Wait != 0 || got.Probe == "" {
		t.Errorf("got %+v, want the probe", got)
	}
}

// said is an answer to a request of one job, or to a grant if the row is one's.
func said(row classify.Row, retryAfter time.Duration) []dispatch.Finding {
	r := retry.Result{Row: row, RetryAfter: retryAfter}
	if row.Level == classify.Auth {
		r.Stage = retry.GrantRefused
	}
	return []dispatch.Finding{{
		Signal: retry.SignalOf(r), Row: row, RetryAfter: retryAfter,
		Jobs: []dispatch.Job{{ID: "a", Expires: time.Now().AddDate(1, 0, 0)}},
	}}
}
