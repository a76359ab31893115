package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
)

// A vendor that posts receipts to a wrong path must not get the UI's page with 200:
// the receipts would be lost.
func TestAnUnknownPathIs404(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.start(r.config("100001", secret))
	for _, path := range []string{
		"/receipts", "/receipts/", "/receipts/shop", "/receipts/shop/", "/receipts/shop/huawei/", "/receipts/shop/huawei/secret/", "/receipts/shop/huawei/a/b",
		"/receipts/nobody/huawei", "/receipts/shop/nokia", "/receipts/shop/huawei", "/receipt/shop/huawei", "/shop/huawei",
		"/index.html", "/queues", "/queues/", "/servers/", "/login", "/api", "/api/", "/api/nothing", "/api/queues/huawei:normal/nothing", "/static/",
		"/v1", "/healthz/", "/metrics/", "/postrider/", "/postrider/nothing",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
			for _, user := range []string{"", "ops", "guesser"} {
				status, body := r.call(method, path, user, password)
				if status != http.StatusNotFound || strings.Contains(body, "<") {
					t.Errorf("%s %s by %q answers %d %.60q, want 404 and no page", method, path, user, status, body)
				}
			}
		}
	}
}

func TestTheUIAnswersItsOwnPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.start(r.config("100001", secret))
	for _, path := range []string{
		"/", "/settings", "/servers", "/schedulers", "/redis", "/q/metrics", "/queues/huawei:normal", "/queues/huawei:normal?status=retry",
		"/queues/huawei:normal/tasks/order-42-abc", "/manifest.json", "/favicon.ico", "/postrider",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if status, _ := r.call(method, path, "ops", password); status != http.StatusOK {
				t.Errorf("%s %s answers %d, want 200", method, path, status)
			}
			if status, _ := r.call(method, path, "", ""); status != http.StatusUnauthorized {
				t.Errorf("%s %s without a password answers %d, want 401", method, path, status)
			}
		}
	}
	for _, path := range []string{"/", "/servers", "/favicon.ico"} {
		if status, _ := r.call(http.MethodPost, path, "ops", password); status != http.StatusMethodNotAllowed {
			t.Errorf("POST %s answers %d, want 405", path, status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		for method, want := range map[string]int{http.MethodGet: http.StatusOK, http.MethodHead: http.StatusOK, http.MethodPost: http.StatusNotFound} {
			if status, _ := r.call(method, path, "", ""); status != want {
				t.Errorf("%s %s answers %d, want %d", method, path, status, want)
			}
		}
	}
}
