package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestManyWorkersThatStartAtOnceMakeOneGrant(t *testing.T) {
	t.Parallel()
	g := &vendorFake{}
	got := everybody(t, workers(4, redistest.Client(t)), 50, g)
	if n := g.grants.Load(); n != 1 || got["access-1"] != 200 {
		t.Errorf("%d grants, tokens %v, want 1 grant for all 200", n, got)
	}
}

func TestOneWorkerRenewsEarlyAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	access(t, &Store{Redis: client}, &vendorFake{}, "access-1")
	age(t, client, 4*time.Minute)

	renewing, othersDone := make(chan struct{}), make(chan struct{})
	g := &vendorFake{during: func(int64) { close(renewing); <-othersDone }}
	g.grants.Store(1)
	var wg sync.WaitGroup
	wg.Go(func() { access(t, &Store{Redis: client}, g, "access-2") })
	<-renewing
	if got := everybody(t, workers(4, client), 20, g); got["access-1"] != 80 {
		t.Errorf("while one renews the others have %v, want the live access-1", got)
	}
	close(othersDone)
	wg.Wait()
	if got := everybody(t, workers(4, client), 20, g); got["access-2"] != 80 || g.grants.Load() != 2 {
		t.Errorf("afterwards the others have %v after %d grants, want access-2 after 2", got, g.grants.Load())
	}
}

func TestALongRenewalDelaysNoCallerOfTheSameWorker(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := &clock{}
	s := &Store{Redis: client, Now: c.now}
	access(t, s, &vendorFake{}, "access-1")
	age(t, client, time.Minute)
	c.forward(recheckEvery)
	g := &vendorFake{during: func(int64) {
		c.forward(recheckEvery)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := s.Access(ctx, app, vendor, nil, print1); err != nil || got != "access-1" {
			t.Errorf("during the renewal Access = %q, %v, want the live access-1", got, err)
		}
	}}
	g.grants.Store(1)
	access(t, s, g, "access-2")
}

func TestALockGotJustAfterAGrantIsNotUsed(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	access(t, &Store{Redis: client}, &vendorFake{}, "access-1")
	s := &Store{Redis: client}
	sl := s.slot(app, vendor, print1)
	lock, err := s.lock(t.Context(), sl)
	if err != nil || lock == "" {
		t.Fatalf("lock = %q, %v", lock, err)
	}
	g := &vendorFake{}
	if got, err := s.renew(t.Context(), sl, g, lock); err != nil || got != "access-1" || g.grants.Load() != 0 {
		t.Errorf("renew = %q, %v after %d grants, want access-1 after none", got, err, g.grants.Load())
	}
	if n := client.Exists(t.Context(), sl.lock).Val(); n != 0 {
		t.Error("the lock was kept")
	}
}

func TestOnlyTheOwnValueIsDeleted(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	client.Set(t.Context(), key().lock, "another worker", time.Minute)
	(&Store{Redis: client}).unlock(t.Context(), key(), "ours")
	if got := client.Get(t.Context(), key().lock).Val(); got != "another worker" {
		t.Errorf("the lock holds %q, want another worker", got)
	}
}

func TestAWorkerTakesOverWhatAnotherRenewed(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := &clock{}
	g := &vendorFake{}
	old := &Store{Redis: client, Now: c.now}
	access(t, old, g, "access-1")
	age(t, client, time.Minute)
	access(t, &Store{Redis: client}, g, "access-2")
	c.forward(recheckEvery)
	access(t, old, g, "access-2")
}

func TestALiveTokenCostsNoRedisCall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := &Store{Redis: server.Client(t)}
	g := &vendorFake{}
	access(t, s, g, "access-1")
	server.Kill()
	access(t, s, g, "access-1")
}

func TestALiveTokenOutlastsRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	c := &clock{}
	s := &Store{Redis: client, Now: c.now}
	g := &vendorFake{}
	access(t, s, g, "access-1")
	server.Kill()
	c.forward(recheckEvery)
	access(t, s, g, "access-1")
	c.forward(time.Hour)
	if got, err := s.Access(t.Context(), app, vendor, g, print1); err == nil {
		t.Errorf("with the token expired and Redis away Access = %q, want an error", got)
	}
}

func TestTheLifetimeCountsFromTheRequest(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := &clock{}
	g := &vendorFake{lifetime: time.Minute, during: func(int64) { c.forward(20 * time.Second) }}
	access(t, &Store{Redis: client, Now: c.now}, g, "access-1")
	if left := client.PTTL(t.Context(), key().key).Val(); left <= 30*time.Second || left > 40*time.Second {
		t.Errorf("the token lives %v, want a minute less the 20 s of the request", left)
	}
}

func TestWorkersClocksMayDiffer(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{lifetime: time.Minute}
	for _, wrong := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		c := &clock{}
		c.forward(wrong)
		access(t, &Store{Redis: client, Now: c.now}, g, "access-1")
	}
}

func TestAnExpiredTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	c := &clock{}
	client := redistest.Client(t)
	s := &Store{Redis: client, Now: c.now}
	g := &vendorFake{}
	access(t, s, g, "access-1")
	client.Del(t.Context(), key().key)
	c.forward(time.Hour)
	access(t, s, g, "access-2")
}

func TestTheLockOfADeadWorkerEnds(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	client.Set(t.Context(), key().lock, "a worker that was killed", 300*time.Millisecond)
	g := &vendorFake{}
	start := time.Now()
	got := everybody(t, workers(2, client), 5, g)
	if n := g.grants.Load(); n != 1 || got["access-1"] != 10 {
		t.Errorf("%d grants, tokens %v, want 1 for all 10", n, got)
	}
	if took := time.Since(start); took < 250*time.Millisecond {
		t.Errorf("took %v: did not wait for the lock", took)
	}
}

func TestALockEndsAfterSeconds(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	var left time.Duration
	g := &vendorFake{during: func(int64) { left = client.PTTL(t.Context(), key().lock).Val() }}
	access(t, &Store{Redis: client}, g, "access-1")
	if left <= grantTime || left > lockTime {
		t.Errorf("during a grant the lock has %v left, want between %v and %v", left, grantTime, lockTime)
	}
	if n := client.Exists(t.Context(), key().lock).Val(); n != 0 {
		t.Error("the lock outlived the grant")
	}
}

func TestAWorkerThatLostItsLockTakesTheNewerToken(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	frozen := &vendorFake{during: func(int64) {
		client.Del(t.Context(), key().lock)
		other := &vendorFake{}
		other.grants.Store(1)
		access(t, &Store{Redis: client}, other, "access-2")
	}}
	access(t, &Store{Redis: client}, frozen, "access-2")
}

func TestAWaiterLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	client.Set(t.Context(), key().lock, "another worker", time.Minute)
	s := &Store{Redis: client}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 { // one waits for Redis, the other for the first
		wg.Go(func() {
			if _, err := s.Access(ctx, app, vendor, &vendorFake{}, print1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
	wg.Wait()
}

// patient tells that it was asked, and grants when it is let go.
type patient struct {
	vendorFake
	asked, answer chan struct{}
}

func newPatient() *patient { return &patient{asked: make(chan struct{}), answer: make(chan struct{})} }

func (p *patient) Grant(ctx context.Context, now time.Time) (vendors.Grant, error) {
	close(p.asked)
	select {
	case <-p.answer:
	case <-ctx.Done():
	}
	return p.vendorFake.Grant(ctx, now)
}

// watched closes waiting when somebody waits for the context's end.
type watched struct {
	context.Context
	once    sync.Once
	waiting chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waiting) })
	return w.Context.Done()
}

func TestTheOthersGetTheirAnswerWhenOneCallerIsCancelled(t *testing.T) {
	t.Parallel()
	for name, leaver := range map[string]int{"the one who asked first": 0, "another one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g := &Store{Redis: redistest.Client(t)}, newPatient()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			ask := func(i int) chan error {
				mine, end := &watched{Context: t.Context(), waiting: make(chan struct{})}, make(chan error, 1)
				if i == leaver {
					mine.Context = ctx
				}
				go func() {
					_, err := s.Access(mine, app, vendor, g, print1)
					end <- err
				}()
				<-mine.waiting
				return end
			}
			ends := []chan error{ask(0)}
			<-g.asked
			ends = append(ends, ask(1), ask(2))
			leave()
			if err := <-ends[leaver]; !errors.Is(err, context.Canceled) {
				t.Errorf("the cancelled caller got %v", err)
			}
			close(g.answer)
			for i, end := range ends {
				if i != leaver {
					if err := <-end; err != nil {
						t.Errorf("caller %d: %v", i, err)
					}
				}
			}
			if n := g.grants.Load(); n != 1 {
				t.Errorf("%d grants, want 1", n)
			}
		})
	}
}

func TestWhenAllCallersLeaveThereIsNoRefusal(t *testing.T) {
	t.Parallel()
	s := &Store{Redis: redistest.Client(t)}
	s.Observe = func(_, _ string, refusal *vendors.Error) {
		if refusal != nil {
			t.Errorf("a refusal is counted: %v", refusal)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	g := newPatient()
	go func() {
		<-g.asked
		leave()
	}()
	if _, err := s.Access(ctx, app, vendor, g, print1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	access(t, s, &vendorFake{}, "access-1")
}

func TestOtherCredentialsGetATokenOfTheirOwn(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{}
	before, after := &Store{Redis: client}, &Store{Redis: client}
	for range 3 { // both keep theirs while a reload makes its way through the workers
		access(t, before, g, "access-1")
		if got, err := after.Access(t.Context(), app, vendor, g, print2); err != nil || got != "access-2" {
			t.Fatalf("after the reload Access = %q, %v, want access-2", got, err)
		}
	}
	for _, k := range client.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(k, "postrider:auth:{shop:huawei}:") || strings.Contains(k, "credentials") {
			t.Errorf("key %q is not as documented, or shows the fingerprint", k)
		}
	}
}

func TestAppsAndVendorsShareNothing(t *testing.T) {
	t.Parallel()
	s := &Store{Redis: redistest.Client(t)}
	g := &vendorFake{}
	seen := map[string]bool{}
	for _, o := range []owner{{"a", "huawei"}, {"b", "huawei"}, {"a", "honor"}} {
		got, err := s.Access(t.Context(), o.app, o.vendor, g, print1)
		if err != nil || seen[got] {
			t.Errorf("%v has %q, %v, want a token of its own", o, got, err)
		}
		seen[got] = true
	}
}

func TestAGrantWithoutATokenIsARefusal(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]vendors.Granter{
		"no token":    granterFunc(func() (vendors.Grant, error) { return vendors.Grant{Lifetime: time.Hour}, nil }),
		"no lifetime": granterFunc(func() (vendors.Grant, error) { return vendors.Grant{Access: "a"}, nil }),
		"no code":     granterFunc(func() (vendors.Grant, error) { return vendors.Grant{}, errors.New("broken") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&Store{Redis: redistest.Client(t)}).Access(t.Context(), app, vendor, g, print1)
			if refusal, ok := errors.AsType[*vendors.Error](err); !ok || refusal.RetryAfter <= 0 {
				t.Errorf("got %v, want a *vendors.Error with a RetryAfter", err)
			}
		})
	}
}

func TestItWorksOnAClusterAndOnTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	embedded := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = embedded.Close() })
	for name, client := range map[string]redis.UniversalClient{"cluster": redistest.Cluster(t), "embedded": embedded} {
		t.Run(name, func(t *testing.T) {
			g := &vendorFake{}
			s := &Store{Redis: client}
			access(t, s, g, "access-1")
			if err := s.Invalidate(t.Context(), app, vendor, "access-1"); err != nil {
				t.Fatal(err)
			}
			g.refuse(flowControl())
			if _, err := s.Access(t.Context(), app, vendor, g, print1); err == nil {
				t.Fatal("a refused grant gave a token")
			}
			refused(t, &Store{Redis: client}, g, 2)
		})
	}
}

type granterFunc func() (vendors.Grant, error)

func (f granterFunc) Grant(context.Context, time.Time) (vendors.Grant, error) { return f() }

// go-redis sends a command again whose reply was lost. A lock that is ours must
// not be taken for another worker's: everybody would wait until it ends.
func TestALockWhoseReplyWasLostIsOurs(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	var v vendorFake
	for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
		direct.FlushDB(t.Context())
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		before := time.Now()
		access(t, &Store{Redis: flaky}, &v, fmt.Sprintf("access-%d", n+1))
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("answer %d lost: it took %v", n, took)
		}
		if n > 0 && proxy.Commands() < n || t.Failed() {
			return
		}
	}
}
