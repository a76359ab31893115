package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// twoApps are two apps at one vendor.
var twoApps = strings.NewReplacer("worker: {", "worker: {concurrency: 8, ").Replace(settings) + `  news:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 0}
`

// TestASmallJobDoesNotWaitForALargeOneOfAnotherApp fills a slow vendor's lane for
// about 15 seconds with a large job, and sends small jobs of another app.
func TestASmallJobDoesNotWaitForALargeOneOfAnotherApp(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoApps, "--latency", "200ms")
	var b bytes.Buffer
	for i := range 500_000 {
		fmt.Fprintf(&b, "huawei,IQ%0128d\n", i)
	}
	if code, out := r.run(&b, "enqueue", "send", "--app", "shop", "--targets", "-", "--title", "Hi", "--body", "there", "--id", "large"); code != 0 {
		t.Fatalf("send: exit %d: %s", code, out)
	}
	r.worker()
	r.await("the large job's first chunks", func() bool { return r.status("large").Delivered > 0 })
	for i := range 3 {
		id := fmt.Sprint("small-", i)
		begin := time.Now()
		code, out := r.run(nil, "enqueue", "send", "--app", "news", "--target", "huawei:JQ"+strings.Repeat("0", i), "--title", "Hi", "--body", "there", "--id", id, "--wait", "--json")
		if took := time.Since(begin); code != 0 || took > 5*time.Second {
			t.Errorf("a small job took %v, exit %d: %s", took, code, out)
		}
	}
	if st := r.status("large"); st.Pending == 0 {
		t.Error("the large job ended before the small ones: the test shows nothing")
	}
}
