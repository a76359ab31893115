package simulator_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/simulator/play"
)

// The watch sees for each request what the vendor did with its tokens, also where a
// fault hides that from the client.
func TestTheWatchSeesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    *play.Fault
		judged   bool
		accepted []bool
	}{
		"an ordinary request":                   {nil, true, []bool{true, false, true}},
		"a request that a fault keeps from it":  {&play.Fault{Name: "away", Status: 502}, false, nil},
		"a request whose answer a fault hides":  {&play.Fault{Name: "hidden", Status: 502, Accept: true}, true, []bool{true, false, true}},
		"a request that the vendor drops whole": {&play.Fault{Name: "away", Reset: true}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen []play.Seen
			sim := simulator.New(play.Options{AnyCredentials: true, Watch: func(s play.Seen) {
				mu.Lock()
				defer mu.Unlock()
				s.Accepted = slices.Clone(s.Accepted)
				seen = append(seen, s)
			}})
			if c.fault != nil {
				if err := sim.SetFaults([]play.Fault{*c.fault}); err != nil {
					t.Fatal(err)
				}
			}
			url, stop, err := sim.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stop(context.WithoutCancel(t.Context())) }()
			body := `{"message":{"android":{"notification":{"title":"a","body":"b","click_action":{"type":3}}},"token":["t1","bad-t2","t3"]}}`
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/100001/messages:send", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json; charset=UTF-8")
			req.Header.Set("Authorization", "Bearer x")
			if resp, err := new(http.Client).Do(req); err == nil {
				_ = resp.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != 1 {
				t.Fatalf("the watch was told of %d requests, want 1", len(seen))
			}
			got, fault := seen[0], ""
			if c.fault != nil {
				fault = c.fault.Name
			}
			if got.Vendor != "huawei" || got.Endpoint != "send" || "http://"+got.Host != url || got.Fault != fault {
				t.Errorf("got %s %s at %s with fault %q", got.Vendor, got.Endpoint, got.Host, got.Fault)
			}
			if got.Judged != c.judged || !slices.Equal(got.Accepted, c.accepted) {
				t.Errorf("judged %v, accepted %v; want %v, %v", got.Judged, got.Accepted, c.judged, c.accepted)
			}
		})
	}
}
