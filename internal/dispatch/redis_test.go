package dispatch_test

import (
	"context"
	"errors"
	"testing"

	"github.com/postrider/postrider/internal/saved"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// A fault of Redis says nothing of the tokens, so it uses no attempt.
func TestAFaultOfRedisUsesNoAttempt(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*rig){
		"the saved message": func(r *rig) {
			r.acct.Vendor, r.cfg.Saved = &saver{vendor: r.vendor}, &lostNames{left: 10}
		},
		"the access token": func(r *rig) {
			r.acct.Vendor, r.cfg.Access = granter{r.vendor}, &lostAccess{left: 10}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, prepare)
			tasks := r.alone(job("a", "t1", "t2"))
			for range 10 { // attempts are 3
				again := r.again(tasks[0])
				if again.Counted {
					t.Fatalf("put back with %+v, want it not counted", again)
				}
				r.clock.forward(max(0, again.At.Sub(r.clock.now())))
			}
			if len(r.vendor.sizes()) > 0 || len(r.gate.remedies()) > 0 {
				t.Errorf("%v requests, the gate was told %v: want neither", r.vendor.sizes(), r.gate.remedies())
			}
			r.finish(tasks...)
			r.want("a", outcomes{wire.Delivered: 2})
		})
	}
}

var errAway = errors.New("look for saved message: redis is away")

// lostNames cannot be asked for a while.
type lostNames struct {
	names
	left int
}

func (n *lostNames) ID(ctx context.Context, m saved.Message, save func(context.Context) (vendors.Saved, error)) (string, error) {
	if n.left--; n.left >= 0 {
		return "", errAway
	}
	return n.names.ID(ctx, m, save)
}

// lostAccess cannot be asked for a while.
type lostAccess struct {
	access
	left int
}

func (a *lostAccess) Access(ctx context.Context, app, vendor string, g vendors.Granter, fingerprint string) (string, error) {
	if a.left--; a.left >= 0 {
		return "", errAway
	}
	return a.access.Access(ctx, app, vendor, g, fingerprint)
}
