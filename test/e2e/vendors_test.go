package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// allVendors returns the demo's configuration, which has every vendor, for a rig. The
// lines of account are added to each vendor's block.
func allVendors(account ...string) string {
	return strings.NewReplacer("redis://127.0.0.1:6379/0", "%REDIS%", "log: {level: warn", "log: {level: info", "rate: 2000", "rate: 0").
		Replace(demo.Settings("%SIM%", "127.0.0.1:0", account...))
}

// tokenFor returns a token for a vendor; bad ones are invalid.
func tokenFor(vendor string, i int, bad bool) string {
	prefix := ""
	if bad {
		prefix = "bad-"
	}
	return fmt.Sprintf("%s%s-%06d", prefix, vendor, i)
}

// TestEveryVendorInAwkwardNumbers sends one job of each class to all vendors, with
// numbers of tokens that are not multiples of their batch limits.
func TestEveryVendorInAwkwardNumbers(t *testing.T) {
	t.Parallel()
	for _, class := range []push.Class{push.Service, push.Marketing} {
		for _, n := range []int{1001, 501, 101, 1} {
			t.Run(fmt.Sprintf("%d %s", n, class), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, allVendors())
				j := push.Job{
					ID: "all", App: "demo", Targets: map[string][]string{},
					Message: push.Message{Title: "Hello", Body: "Same words, eight ways.", Class: class},
				}
				for _, s := range registry.All() {
					for i := range n {
						j.Targets[s.Name] = append(j.Targets[s.Name], tokenFor(s.Name, i, false))
					}
				}
				r.enqueue(j)
				r.worker()
				r.await("the job's end", func() bool { return r.status("all").State == "done" })
				if st := r.status("all"); st.Delivered != st.Accepted || st.Accepted != n*len(registry.All()) {
					t.Errorf("status: %+v", st)
				}
				for _, s := range registry.All() {
					got := r.report().Vendors[s.Name]
					if got.Distinct != int64(n) || got.Duplicates != 0 {
						t.Errorf("%s saw %d tokens and %d duplicates, want %d once each", s.Name, got.Distinct, got.Duplicates, n)
					}
					if got.Grants > 1 {
						t.Errorf("%s granted %d access tokens, want one", s.Name, got.Grants)
					}
					for endpoint, count := range got.Endpoints {
						if strings.HasPrefix(strings.ToLower(endpoint), "save") && count != 1 {
							t.Errorf("%s got %d requests to %s, want one for the message", s.Name, count, endpoint)
						}
					}
				}
			})
		}
	}
}

// TestPartialFailureOfEveryVendor has some invalid tokens: exactly those enter the feed.
func TestPartialFailureOfEveryVendor(t *testing.T) {
	t.Parallel()
	r := newRig(t, allVendors())
	const n = 60
	j := push.Job{ID: "mixed", App: "demo", Message: push.Message{Title: "Hello", Body: "Some tokens are invalid."}, Targets: map[string][]string{}}
	want := map[string]bool{}
	for _, s := range registry.All() {
		for i := range n {
			token := tokenFor(s.Name, i, i%10 == 3)
			j.Targets[s.Name] = append(j.Targets[s.Name], token)
			if i%10 == 3 {
				want[s.Name+" "+token] = true
			}
		}
	}
	r.enqueue(j)
	r.worker()
	r.await("the job's end", func() bool { return r.status("mixed").State == "done" })
	if st := r.status("mixed"); st.Invalid != len(want) || st.Delivered != st.Accepted-len(want) {
		t.Errorf("status: %+v, want %d invalid", st, len(want))
	}
	entries, err := r.rdb.XRange(r.Context(), "postrider:invalid", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		key := fmt.Sprint(e.Values["vendor"], " ", e.Values["token"])
		if !want[key] {
			t.Errorf("the feed has %s, which is not invalid, or has it twice", key)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("the feed lacks %s", key)
	}
}

// enqueue enqueues a job with the command.
func (r *rig) enqueue(j push.Job) {
	r.Helper()
	b, err := json.Marshal(j)
	if err != nil {
		r.Fatal(err)
	}
	if code, out := r.run(strings.NewReader(string(b)), "enqueue", "send", "--job", "-", "--json"); code != 0 {
		r.Fatalf("send --job: exit %d: %s", code, out)
	}
}

// report returns the simulator's report, and fails the test if it has violations.
func (r *rig) report() simulator.Report {
	r.Helper()
	r.seen()
	return r.all
}
