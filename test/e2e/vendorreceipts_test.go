package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// front is a public address of the worker, as a reverse proxy. Vendors get the
// address before the worker is started.
type front struct {
	*httptest.Server
	worker atomic.Pointer[url.URL]
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{}
	f.Server = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(f.worker.Load()) }})
	t.Cleanup(f.Close)
	return f
}

// withReceipts returns the demo's configuration with a receipt secret for every vendor.
func withReceipts(t *testing.T, public string) string {
	t.Helper()
	with := `receipts: {secret: r3ceipts, url: "` + public + `"}`
	text := strings.Replace(allVendors(with), "format: console", "format: json", 1)
	if n := strings.Count(text, with); n != len(registry.All()) {
		t.Fatalf("%d vendors have receipts, want all", n)
	}
	return text
}

// sendReceipts makes every vendor send receipts: each twice, with one for an unknown
// token, and after the push was recorded.
func (r *rig) sendReceipts(public string) {
	r.Helper()
	all := map[string]simulator.Receipts{}
	for _, s := range registry.All() {
		if s.Receipts == nil {
			continue
		}
		address := public + "/receipts/demo/" + s.Name
		switch {
		case s.Receipts.LongestURL > 0:
			address = "" // every request contains it
		case s.Receipts.Verify == nil:
			address += "/r3ceipts"
		}
		all[s.Name] = simulator.Receipts{URL: address, Secret: "r3ceipts", Twice: true, Unknown: true, Late: simulator.Duration(50e6)}
	}
	text, err := json.Marshal(all)
	if err != nil {
		r.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPut, r.sim+"/_simulator/receipts", bytes.NewReader(text))
	if err != nil {
		r.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:forbidigo // loopback, in a test
	if err != nil {
		r.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.Fatalf("HTTP %d for %s", resp.StatusCode, text)
	}
}

// TestReceiptsOfEveryVendorAreApplied has the simulator send receipts in each
// vendor's format and with its authentication, for every endpoint.
func TestReceiptsOfEveryVendorAreApplied(t *testing.T) {
	t.Parallel()
	for _, class := range []push.Class{push.Service, push.Marketing} {
		for _, fine := range []int{1, 4} {
			t.Run(string(class)+map[int]string{1: " to few", 4: " to more"}[fine], func(t *testing.T) {
				t.Parallel()
				public := newFront(t)
				r := newRig(t, withReceipts(t, public.URL))
				r.sendReceipts(public.URL)
				p := r.start("worker", "--config", r.config)
				base, _, _ := strings.Cut(p.await(`http://127\.0\.0\.1:\d+.*working`), `"`)
				worker, err := url.Parse(base)
				if err != nil {
					t.Fatal(err)
				}
				public.worker.Store(worker)
				r.enqueue(everyVendorsJob("fine", class, fine, false))
				r.enqueue(everyVendorsJob("lost", class, 1, true))
				all := len(registry.All())
				r.await("the receipts of delivered tokens are applied", func() bool { return r.receipts("fine") == ledger.Receipts{Arrived: fine * all} })
				r.await("the receipts of lost tokens, which Meizu does not send, are applied", func() bool { return r.receipts("lost") == ledger.Receipts{Failed: all - 1} })
				r.checkNoViolations()
				r.checkFeed(class)
			})
		}
	}
}

// everyVendorsJob has n tokens of every vendor.
func everyVendorsJob(id string, class push.Class, n int, lost bool) push.Job {
	j := push.Job{
		ID: id, App: "demo", Targets: map[string][]string{},
		Message: push.Message{Title: "Hello", Body: "This is the job " + id, Class: class},
	}
	for _, s := range registry.All() {
		for i := range n {
			token := tokenFor(s.Name, i, false)
			if lost {
				token = "lost-" + token
			}
			j.Targets[s.Name] = append(j.Targets[s.Name], token)
		}
	}
	return j
}

// checkFeed checks that the feed has the lost token of each vendor with such receipts
// once, and no other token of the job.
func (r *rig) checkFeed(class push.Class) {
	r.Helper()
	var got, want []string
	for _, e := range r.rdb.XRange(r.Context(), wire.InvalidStream, "-", "+").Val() {
		if e.Values["job"] == "lost" {
			got = append(got, e.Values["token"].(string))
		} else if e.Values["token"] != "nobody" {
			r.Errorf("%s: the feed has %v, want only lost tokens", class, e.Values)
		}
	}
	for _, s := range registry.All() {
		if tellsOfLost(s) {
			want = append(want, "lost-"+tokenFor(s.Name, 0, false))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Errorf("%s: the feed has %q, want %q", class, got, want)
	}
}

// tellsOfLost reports whether the vendor's receipts may call a token invalid.
func tellsOfLost(s vendors.Spec) bool {
	return slices.ContainsFunc(s.Codes.Explain(""), func(row classify.Row) bool {
		return (row.Level == classify.Receipt || row.Level == classify.Callback) && row.Action != classify.NoAction
	})
}
