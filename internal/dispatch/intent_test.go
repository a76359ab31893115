package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// unsent fails before a byte of the request was written: the proxy's port is
// closed, it answers 407 to CONNECT, the TLS handshake times out.
func unsent(code string) reply {
	return func(*vendors.Request) (vendors.Answer, error) {
		return vendors.Answer{}, &vendors.Error{
			Op: "send", Code: classify.Code{Level: classify.Transport, Code: code}, Unsent: true, Err: errors.New("no connection"),
		}
	}
}

// uploadingOnce is an uploader whose first upload fails, and that tells what was recorded by then.
type uploadingOnce struct {
	*uploader
	look func()
}

func (s *uploadingOnce) Upload(ctx context.Context, r *vendors.Request) (vendors.Uploaded, error) {
	s.look()
	saved, err := s.uploader.Upload(ctx, r)
	s.refusal = nil
	return saved, err
}

// The outcome of an at-most-once token is unknown only if part of its request may
// have reached the vendor.
func TestWithoutARequestNoOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	flow := &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: "flow"}}
	broken := &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Transport, Code: classify.Broken}}
	granting := func(err error) func(*rig) func(*rig) {
		return func(r *rig) func(*rig) {
			grants := &access{refusal: err}
			r.cfg.Access, r.acct.Vendor = grants, granter{r.vendor}
			return func(*rig) { grants.refusal = nil }
		}
	}
	sending := func(first reply) func(*rig) func(*rig) {
		return func(r *rig) func(*rig) {
			r.vendor.replies = []reply{first}
			return func(*rig) {}
		}
	}
	for name, prepare := range map[string]func(*rig) func(*rig){
		"no connection":                             sending(unsent(classify.Dial)),
		"the proxy refuses the tunnel":              sending(unsent(classify.Broken)),
		"the TLS handshake times out":               sending(unsent(classify.Timeout)),
		"grants are under flow control":             granting(flow),
		"the grant was cut off":                     granting(broken),
		"redis cannot be asked for an access token": granting(errors.New("redis is away")),
		"the message cannot be saved at the vendor": func(r *rig) func(*rig) {
			s := &uploadingOnce{uploader: &uploader{vendor: r.vendor, refusal: broken}}
			s.look = func() {
				c, err := wire.DecodeChunk(r.rdb.Get(r.Context(), r.chunk()).Val())
				if err != nil || slices.Contains(c.States, wire.Sent) {
					r.Errorf("states are %v, %v before the request: the intent is recorded too early", c, err)
				}
			}
			r.acct.Vendor, r.cfg.Uploaded = s, &uploadedIDs{}
			return func(*rig) {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mend func(*rig)
			r := newRig(t, func(r *rig) { mend = prepare(r) })
			j := job("a", "t1", "t2")
			j.Delivery = push.AtMostOnce
			tasks := r.separate(j)
			r.again(tasks[0])
			c, err := wire.DecodeChunk(r.rdb.Get(t.Context(), r.chunk()).Val())
			r.must(err)
			if slices.Contains(c.States, wire.Sent) {
				t.Errorf("states are %v, want no intent left", c.States)
			}
			r.want("a", outcomes{wire.Pending: 2})
			mend(r)
			r.finish(tasks...)
			r.want("a", outcomes{wire.Delivered: 2})
			r.wantEntries(wire.DeadStream, []string{"reason"})
		})
	}
}
