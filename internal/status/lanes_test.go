package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func accounts() []*account.Account {
	vivo, huawei := vendors.Spec{Name: "vivo", Unit: vendors.Messages}, vendors.Spec{Name: "huawei", Unit: vendors.Tokens}
	return []*account.Account{
		{App: "shop", Spec: vivo, Rate: 3000}, {App: "bank", Spec: vivo}, {App: "shop", Spec: huawei, Rate: 500},
	}
}

func read(t *testing.T, rdb redis.UniversalClient) map[string]status.Lane {
	t.Helper()
	all, err := (&status.LaneReader{Redis: rdb}).Lanes(t.Context(), accounts())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]status.Lane{}
	var names []string
	for _, l := range all {
		byName[l.Lane] = l
		names = append(names, l.Lane)
	}
	if got, want := strings.Join(names, " "), "huawei:high huawei:normal huawei:bulk vivo:high vivo:normal vivo:bulk"; got != want {
		t.Errorf("the lanes are %s, want %s", got, want)
	}
	return byName
}

func TestLanesOfAnEmptyRedis(t *testing.T) {
	t.Parallel()
	l := read(t, redistest.Client(t))["vivo:high"]
	if l.Waiting != 0 || l.InFlight != 0 || l.Oldest != 0 || l.PausedInUI || len(l.Apps) != 2 {
		t.Fatalf("got %+v, want an empty lane with two apps", l)
	}
	if a := l.Apps[1]; a.App != "shop" || a.Rate != 3000 || a.Effective != 3000 || a.Unit != "messages" || a.Pauses == nil || len(a.Pauses) != 0 {
		t.Errorf("got %+v, want shop at its full rate", a)
	}
}

func TestLanesShowWhatWaitsAndWhy(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	client, err := push.NewClient(rdb, push.Options{Vendors: registry.ForClient()})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	for i, at := range []time.Time{{}, later} {
		_, err := client.Enqueue(t.Context(), push.Job{
			ID: []string{"now", "later"}[i], App: "shop", NotBefore: at, Message: push.Message{Title: "t", Body: "b"},
			Targets: map[string][]string{"vivo": {"t1", "t2", "t3", "t4"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limiter, k := &limit.Limiter{Redis: rdb}, limit.Key{App: "shop", Vendor: "vivo"}
	if _, _, err := limiter.Stop(t.Context(), k, limit.Halt{Kind: limit.TooFast, RetryAfter: time.Minute, Reason: "too fast"}); err != nil {
		t.Fatal(err)
	}
	if _, err := limiter.Pause(t.Context(), k, "system", later, "quota"); err != nil {
		t.Fatal(err)
	}
	all := read(t, rdb)
	if l := all["vivo:normal"]; l.Waiting != 2 || l.Later != 1 || l.InFlight != 0 || l.Oldest <= 0 || l.Oldest > 60 {
		t.Errorf("got %+v, want two tasks of which one is not due", l)
	}
	for _, name := range []string{"vivo:high", "vivo:normal"} {
		shop := all[name].Apps[1]
		if shop.Effective != 1500 || len(shop.Pauses) != 2 || len(all[name].Apps[0].Pauses) != 0 {
			t.Fatalf("got %+v, want half the rate and two pauses, only for shop", all[name].Apps)
		}
		stop, quota := shop.Pauses[0], shop.Pauses[1]
		if stop.Kind != "slow-down" || stop.State != status.Paused || stop.Why != "too fast" || time.Until(stop.Until) < 50*time.Second {
			t.Errorf("the stop is %+v", stop)
		}
		if quota.Kind != "quota" || quota.Bucket != "system" || quota.Why != "quota" || time.Until(quota.Until) < 50*time.Minute {
			t.Errorf("the quota's pause is %+v", quota)
		}
	}
	if a := all["huawei:high"].Apps[0]; len(a.Pauses) != 0 || a.Effective != 500 {
		t.Errorf("another vendor has %+v", a)
	}
}

func TestAStopIsProbedAfterItsPause(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	limiter, k := &limit.Limiter{Redis: rdb}, limit.Key{App: "shop", Vendor: "vivo"}
	if _, _, err := limiter.Stop(t.Context(), k, limit.Halt{Kind: limit.TooFast, RetryAfter: time.Millisecond, Reason: "too fast"}); err != nil {
		t.Fatal(err)
	}
	state := func() string { return read(t, rdb)["vivo:high"].Apps[1].Pauses[0].State }
	// Times from Redis's clock are off by up to a round trip.
	for end := time.Now().Add(5 * time.Second); state() != status.ProbeDue; {
		if time.Now().After(end) {
			t.Fatalf("after its pause it is %s, want %s", state(), status.ProbeDue)
		}
	}
	if p := limiter.Pass(t.Context(), k, nil, time.Minute); p.Probe == "" {
		t.Fatalf("got %+v, want the probe", p)
	}
	if got := state(); got != status.Probing {
		t.Errorf("with a probe in flight it is %s, want %s", got, status.Probing)
	}
}
