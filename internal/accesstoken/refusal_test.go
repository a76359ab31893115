package accesstoken

import (
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// refused expects Access to give the remembered 1302 without another grant.
func refused(t *testing.T, s *Store, g *vendorFake, grants int64) *vendors.Error {
	t.Helper()
	_, err := s.Access(t.Context(), app, vendor, g, print1)
	refusal, ok := errors.AsType[*vendors.Error](err)
	if !ok || refusal.Code.String() != "auth/1302" || refusal.Code.Text == "" || refusal.RetryAfter <= 0 {
		t.Fatalf("got %#v, want 1302 with its text and a RetryAfter", err)
	}
	if n := g.grants.Load(); n != grants {
		t.Fatalf("%d grants, want %d", n, grants)
	}
	return refusal
}

func TestNoWorkerAsksAgainBeforeARefusalEnds(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{}
	g.refuse(flowControl())
	backoff := func(*vendors.Error, int) time.Duration { return 5 * time.Minute }
	refused(t, &Store{Redis: client, Backoff: backoff}, g, 1)
	g.refuse(nil)
	for _, s := range workers(3, client) {
		if r := refused(t, s, g, 1); r.RetryAfter < 4*time.Minute || r.RetryAfter > 5*time.Minute {
			t.Errorf("RetryAfter is %v, want what is left of 5 minutes", r.RetryAfter)
		}
	}
	// Other credentials are asked for at once.
	if got, err := (&Store{Redis: client}).Access(t.Context(), app, vendor, g, print2); err != nil || got != "access-2" {
		t.Errorf("with other credentials Access = %q, %v, want access-2", got, err)
	}
	client.Del(t.Context(), key().refused) // as if 5 minutes had passed
	access(t, &Store{Redis: client}, g, "access-3")
}

func TestALiveTokenIsUsedWhileItsRenewalIsRefused(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{}
	access(t, &Store{Redis: client}, g, "access-1")
	age(t, client, time.Minute)
	g.refuse(flowControl())
	for _, s := range workers(3, client) {
		access(t, s, g, "access-1")
	}
	if n := g.grants.Load(); n != 2 {
		t.Errorf("%d grants, want one more, refused", n)
	}
}

func TestRefusalsInARowAreCountedAndASuccessForgetsThem(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	var rows []int
	var seen []bool
	s := &Store{
		Redis:   client,
		Backoff: func(_ *vendors.Error, n int) time.Duration { rows = append(rows, n); return time.Minute },
		Observe: func(_, _ string, refusal *vendors.Error) { seen = append(seen, refusal == nil) },
	}
	g := &vendorFake{}
	for _, refusal := range []error{flowControl(), flowControl(), nil, flowControl()} {
		g.refuse(refusal)
		_, _ = s.Access(t.Context(), app, vendor, g, print1)
		client.Del(t.Context(), key().refused, key().key)
		s.slot(app, vendor, print1).forget("")
	}
	if want := []int{1, 2, 1}; len(rows) != 3 || rows[0] != want[0] || rows[1] != want[1] || rows[2] != want[2] {
		t.Errorf("Backoff was called for refusals %v, want %v", rows, want)
	}
	if len(seen) != 4 || seen[0] || seen[1] || !seen[2] || seen[3] {
		t.Errorf("Observe saw %v, want two refusals, a grant and a refusal", seen)
	}
}

func TestAfterAHoldOfZeroTheNextCallerAsks(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	g := &vendorFake{}
	g.refuse(flowControl())
	s := &Store{Redis: client, Backoff: func(*vendors.Error, int) time.Duration { return 0 }}
	if _, err := s.Access(t.Context(), app, vendor, g, print1); err == nil {
		t.Fatal("a refused grant gave a token")
	}
	g.refuse(nil)
	access(t, s, g, "access-2")
}

func TestDefaultBackoff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		level classify.Level
		after time.Duration
		n     int
		want  time.Duration
	}{
		{"the first failure to reach the vendor", classify.Transport, 0, 1, time.Second},
		{"the third", classify.Transport, 0, 3, 4 * time.Second},
		{"many", classify.Transport, 0, 1000, 30 * time.Second},
		{"the first refusal", classify.Auth, 0, 1, time.Second},
		{"many refusals", classify.Auth, 0, 1000, 5 * time.Minute},
		{"a Retry-After", classify.HTTP, time.Minute, 1, time.Minute},
		{"a Retry-After of a day", classify.HTTP, 24 * time.Hour, 1, 5 * time.Minute},
		{"a Retry-After shorter than the backoff", classify.HTTP, time.Second, 5, 16 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := &vendors.Error{Code: classify.Code{Level: c.level}, RetryAfter: c.after}
			if got := DefaultBackoff(e, c.n); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add(formatRefusal(flowControl()))
	f.Add(`{"op":"x","code":""}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		e := parseRefusal(value, time.Second)
		if e == nil || e.Code.Code == "" || e.RetryAfter != time.Second {
			t.Fatalf("%q reads as %#v, want a refusal", value, e)
		}
		if again := parseRefusal(formatRefusal(e), time.Second); again.Error() != e.Error() {
			t.Fatalf("%q becomes %q", e, again)
		}
	})
}
