package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// errAway is an error of Redis, as the stores return it.
var errAway = errors.New("look: redis is away")

// lookup is a store of uploaded messages that cannot reach Redis.
type lookup struct {
	*uploadedIDs
	away *bool
}

func (l lookup) ID(ctx context.Context, m upload.Message, save func(context.Context) (vendors.Uploaded, error)) (string, error) {
	if *l.away {
		return "", errAway
	}
	return l.uploadedIDs.ID(ctx, m, save)
}

// tokens is a store of access tokens that fails when the test says so.
type tokens struct {
	*access
	away  *bool
	where string
}

func (s tokens) Access(ctx context.Context, app, vendor string, g vendors.Granter, print string) (string, error) {
	if *s.away && s.where == "access" {
		return "", errAway
	}
	return s.access.Access(ctx, app, vendor, g, print)
}

func (s tokens) Invalidate(ctx context.Context, app, vendor, token string) error {
	if *s.away && s.where == "invalidate" {
		return errAway
	}
	return s.access.Invalidate(ctx, app, vendor, token)
}

// A Redis that does not answer says nothing about the vendor: however often that
// happens to a task, no attempt is used up, and neither the gate nor the meter is
// told a failure, which would stop the account or slow it down.
func TestAFaultOfRedisUsesNoAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set func(r *rig, away *bool)
		// asked is how many requests are made for each time that Redis fails.
		asked int
	}{
		"looking for an access token": {func(r *rig, away *bool) {
			r.acct.Vendor, r.cfg.Access = granter{r.vendor}, tokens{&access{}, away, "access"}
		}, 0},
		"invalidating a refused access token": {func(r *rig, away *bool) {
			r.acct.Vendor, r.cfg.Access = granter{r.vendor}, tokens{&access{}, away, "invalidate"}
		}, 1},
		"looking for an uploaded message": {func(r *rig, away *bool) {
			r.acct.Vendor, r.cfg.Uploaded = &uploader{vendor: r.vendor}, lookup{&uploadedIDs{}, away}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			away := true
			r := newRig(t, func(r *rig) {
				r.cfg.Policy.Attempts = 2
				r.gate.probe = "the probe"
				c.set(r, &away)
			})
			if c.asked > 0 {
				r.vendor.always = say("expired")
			}
			task := r.separate(job("a", "t1", "t2"))[0]
			const faults = 5
			for range faults {
				again := r.again(task)
				if again.Counted {
					t.Error("an attempt was counted")
				}
				r.clock.forward(max(time.Second, again.At.Sub(r.clock.now())))
			}
			if got := len(r.vendor.sizes()); got != faults*c.asked {
				t.Errorf("%d requests were made, want %d", got, faults*c.asked)
			}
			if got := r.gate.signals(); len(got) > 0 {
				t.Errorf("the gate was told %v", got)
			}
			if got := len(r.gate.done); got != faults {
				t.Errorf("the gate got its probe back %d times, want %d", got, faults)
			}
			if r.meter.requests != faults*c.asked {
				t.Errorf("the meter counts %d requests, want %d", r.meter.requests, faults*c.asked)
			}
			away, r.vendor.always = false, nil
			// No attempt is used up: the first answer that uses one puts it back.
			r.vendor.replies = []reply{say("busy")}
			r.again(task)
			r.clock.forward(time.Minute)
			r.finish(task)
			r.want("a", outcomes{wire.Delivered: 2})
		})
	}
}
