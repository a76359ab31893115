package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

const receiptSettings = `
redis: {url: "%REDIS%"}
http: {listen: "127.0.0.1:0", username: ops, password: hunter2}
worker: {shutdown_timeout: 11s}
apps:
  shop:
    huawei:
      {client_id: "100001", client_secret: demo-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 0,
       receipts: {secret: r3ceipts}}
    xiaomi:
      {app_secret: demo-secret, package_name: "100001", base_url: "%SIM%", rate: 0,
       receipts: {secret: r3ceipts, url: "https://push.example.com"}}
`

// TestReceiptsComeBackToTheirJob sends jobs, and then posts receipts as the vendor,
// with the tags of the requests.
func TestReceiptsComeBackToTheirJob(t *testing.T) {
	t.Parallel()
	r := newRig(t, receiptSettings)
	p := r.start("worker", "--config", r.config)
	line := p.await(`http://127\.0\.0\.1:\d+.*working`)
	base, _, _ := strings.Cut(line, `"`)
	for _, to := range []string{"huawei:bad,huawei:fine", "huawei:single", "xiaomi:mi"} {
		args := []string{"send", "--app", "shop", "--title", "Hi", "--body", "there", "--id", strings.NewReplacer(":", "-", ",", "-").Replace(to), "--json"}
		for target := range strings.SplitSeq(to, ",") {
			args = append(args, "--target", target)
		}
		if code, out := r.run(nil, "enqueue", args...); code != 0 {
			t.Fatalf("send to %s: exit %d: %s", to, code, out)
		}
	}
	for _, job := range []string{"huawei-bad-huawei-fine", "huawei-single", "xiaomi-mi"} {
		r.await("the end of "+job, func() bool { return r.status(job).State == "done" })
	}
	r.checkNoViolations()
	tokens := map[string]map[string]int{"huawei-bad-huawei-fine": {"bad": 2, "fine": 0}, "huawei-single": {"single": 0}}
	tags := r.tags("huawei")
	if len(tags) != len(tokens) {
		t.Errorf("huawei's tags are %q, want one for each job", tags)
	}
	for _, tag := range tags {
		var items []string
		for token, status := range tokens[r.rdb.HGet(t.Context(), wire.SentKey("shop", "huawei", tag), "").Val()] {
			items = append(items, fmt.Sprintf(`{"biTag":"%s","token":"%s","status":%d,"timestamp":1700000000000}`, tag, token, status))
		}
		body := `{"statuses":[` + strings.Join(items, ",") + `]}`
		if status := r.post(base+"/receipts/shop/huawei/r3ceipts", body); status != http.StatusOK {
			t.Errorf("got %d for a receipt, want 200 without basic auth", status)
		}
	}
	if status := r.post(base+"/receipts/shop/huawei/wrong", "{}"); status != http.StatusForbidden {
		t.Errorf("got %d for a wrong secret, want 403", status)
	}
	if status := r.post(base+"/receipts/shop/honor", "{}"); status != http.StatusNotFound {
		t.Errorf("got %d for an account that is not configured, want 404", status)
	}
	r.await("the receipts of both jobs", func() bool {
		return r.receipts("huawei-bad-huawei-fine") == ledger.Receipts{Arrived: 1, Failed: 1} && r.receipts("huawei-single") == ledger.Receipts{Arrived: 1}
	})
	feed := r.rdb.XRange(t.Context(), wire.InvalidStream, "-", "+").Val()
	if len(feed) != 1 || feed[0].Values["token"] != "bad" || feed[0].Values["job"] != "huawei-bad-huawei-fine" {
		t.Errorf("the feed has %v, want the invalid token with its job, once", feed)
	}
	if tags := r.tags("xiaomi"); len(tags) != 1 {
		t.Errorf("xiaomi's tags are %q, want one", tags)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v, want exit 0", err)
	}
}

func (r *rig) receipts(job string) ledger.Receipts {
	r.Helper()
	if got := r.status(job).Receipts; got != nil {
		return *got
	}
	return ledger.Receipts{}
}

// tags returns the tags of a vendor's sent messages.
func (r *rig) tags(vendor string) []string {
	r.Helper()
	keys, err := r.rdb.Keys(r.Context(), wire.SentKey("shop", vendor, "*")).Result()
	if err != nil {
		r.Fatal(err)
	}
	for i, k := range keys {
		keys[i] = k[strings.LastIndexByte(k, ':')+1:]
	}
	slices.Sort(keys)
	return keys
}

func (r *rig) checkNoViolations() { r.Helper(); r.seen() }

func (r *rig) post(url, body string) int {
	r.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body)) //nolint:forbidigo // loopback, in a test
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}
