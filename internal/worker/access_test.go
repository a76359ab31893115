package worker_test

import (
	"fmt"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

const accessSettings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
worker: {shutdown_timeout: 15s}
apps:
  shop:
    oppo: {app_key: "100001", master_secret: demo-secret, base_url: %q, feedback_url: %q, rate: 0}
    vivo: {app_id: 100001, app_key: "100001", app_secret: demo-secret, base_url: %[2]q, rate: 0}
`

// A vendor may refuse the access token at any of its calls. Each time the token is
// renewed, that call is repeated once, and the job ends in the same run.
func TestAnAccessTokenMayBeRefusedAtEachCall(t *testing.T) {
	t.Parallel()
	const oppo, vivo = "11", "10000"
	for _, c := range []struct {
		vendor, endpoint, code string
		class                  push.Class
		tokens                 int
		// first: this is the vendor's first call for the job, so a revoked access
		// token is noticed at it.
		first bool
	}{
		{"oppo", "unicast", oppo, push.Service, 1, true},
		{"oppo", "unicast_batch", oppo, push.Service, 3, true},
		{"oppo", "save", oppo, push.Marketing, 3, true},
		{"oppo", "broadcast", oppo, push.Marketing, 3, false},
		{"vivo", "send", vivo, push.Service, 1, true},
		{"vivo", "save", vivo, push.Service, 3, true},
		{"vivo", "list", vivo, push.Service, 3, false},
	} {
		t.Run(c.vendor+" "+c.endpoint, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Client(t))
			r.startVendors("")
			send := func(id string) {
				t.Helper()
				j := push.Job{ID: id, App: "shop", Message: push.Message{Class: c.class, Title: "Shipped", Body: "On its way: " + id}, Targets: map[string][]string{}}
				for i := range c.tokens {
					j.Targets[c.vendor] = append(j.Targets[c.vendor], fmt.Sprint(id, "-token-", i))
				}
				_, err := r.client.Enqueue(t.Context(), j)
				r.must(err)
				if st := r.ended(id); st.Delivered != c.tokens || len(st.Codes) != 1 {
					t.Errorf("%s: got %+v, want all delivered in the first run", id, st)
				}
			}
			r.must(r.sim.SetFaults([]simulator.Fault{{Name: "refused", Vendor: c.vendor, Endpoint: c.endpoint, Code: c.code, Times: 1}}))
			send("refused")
			r.wantCalls(c.vendor, c.endpoint, 2, 2)
			if !c.first {
				return
			}
			if r.sim.RevokeAccessTokens(c.vendor) == 0 {
				t.Error("the simulator had no access token to revoke")
			}
			send("revoked")
			r.wantCalls(c.vendor, c.endpoint, 4, 3)
		})
	}
	t.Run("oppo invalid", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, redistest.Client(t))
		r.must(r.sim.SetFaults([]simulator.Fault{{Name: "refused", Vendor: "oppo", Endpoint: "invalid", Code: oppo, Times: 1}}))
		r.startVendors(r.url)
		r.eventually("the list was pulled", func() bool { return r.rdb.HExists(t.Context(), wire.PullKey("shop", "oppo"), "done").Val() })
		r.wantCalls("oppo", "invalid", 2, 2)
	})
}

// startVendors starts a worker for OPPO and vivo. lists is the address of OPPO's
// list of invalid tokens; "": the worker does not read it.
func (r *rig) startVendors(lists string) {
	r.Helper()
	cfg, err := config.Parse("test.yaml", fmt.Appendf(nil, accessSettings, redistest.URL(r.rdb), r.url, lists), registry.All(), config.Source{})
	r.must(err)
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient(), Apps: cfg.ForClient()})
	r.must(err)
	r.start(cfg)
}

// wantCalls checks how often an endpoint was called, and how often an access
// token was granted.
func (r *rig) wantCalls(vendor, endpoint string, calls, grants int64) {
	r.Helper()
	v := r.sim.Report().Vendors[vendor]
	if v.Endpoints[endpoint] != calls || v.Grants != grants || v.Faults["refused"] != 1 || v.Duplicates != 0 {
		r.Errorf("%d calls of %s, %d grants, %d refusals, %d tokens twice; want %d, %d, 1 and none",
			v.Endpoints[endpoint], endpoint, v.Grants, v.Faults["refused"], v.Duplicates, calls, grants)
	}
}
