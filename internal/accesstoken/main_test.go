package accesstoken

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	app    = "shop"
	vendor = "huawei"
	print1 = "credentials of monday"
	print2 = "credentials of tuesday"
)

// vendorFake grants "access-1", "access-2" …, or refuses.
type vendorFake struct {
	grants   atomic.Int64
	lifetime time.Duration // 0: 1 h
	during   func(n int64) // called while a grant is under way; nil: nothing
	mu       sync.Mutex
	err      error
}

func (v *vendorFake) Grant(ctx context.Context, _ time.Time) (vendors.Grant, error) {
	n := v.grants.Add(1)
	if v.during != nil {
		v.during(n)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return vendors.Grant{}, v.err
	}
	if ctx.Err() != nil {
		return vendors.Grant{}, &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: ctx.Err()}
	}
	lifetime := v.lifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	return vendors.Grant{Access: fmt.Sprintf("access-%d", n), Lifetime: lifetime}, nil
}

func (v *vendorFake) refuse(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

func flowControl() *vendors.Error {
	return &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: "1302", Text: "appid is overload blocked"}}
}

// workers returns n stores on one Redis, as n workers have them.
func workers(n int, client redis.UniversalClient) []*Store {
	stores := make([]*Store, n)
	for i := range stores {
		stores[i] = &Store{Redis: client}
	}
	return stores
}

// everybody calls Access from n goroutines of every store and returns what they got.
func everybody(t *testing.T, stores []*Store, n int, g vendors.Granter) map[string]int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for _, s := range stores {
		for range n {
			wg.Go(func() {
				access, err := s.Access(t.Context(), app, vendor, g, print1)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got[access]++
				mu.Unlock()
			})
		}
	}
	wg.Wait()
	return got
}

func access(t *testing.T, s *Store, g vendors.Granter, want string) {
	t.Helper()
	got, err := s.Access(t.Context(), app, vendor, g, print1)
	if err != nil || got != want {
		t.Errorf("Access = %q, %v, want %q", got, err, want)
	}
}

// key is where the token of the standard credentials lies.
func key() *slot { return (&Store{}).slot(app, vendor, print1) }

// age takes all but left off the lifetime of the token in Redis.
func age(t *testing.T, client redis.UniversalClient, left time.Duration) {
	t.Helper()
	if ok, err := client.PExpire(t.Context(), key().key, left).Result(); err != nil || !ok {
		t.Fatalf("age the token: %v, %v", ok, err)
	}
}

// clock is a clock that can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
