package queue_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
)

// asynqmon is the folder of the UI's source.
func asynqmon(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hibiken/asynqmon").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// filled puts words into the place of a route's parameters.
func filled(route string) string {
	return regexp.MustCompile(`\{[^}]+\}|:(qname|taskId)`).ReplaceAllString(route, "huawei:normal")
}

// A new version of the UI with new routes has this test fail.
func TestTheUIHasAllItsRoutes(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	ui := queue.NewUI(func() redis.UniversalClient {
		o := *rdb.Options()
		return redis.NewClient(&o)
	})
	t.Cleanup(func() { _ = ui.Close() })
	dir := asynqmon(t)
	routes := map[string]string{} // to a method
	handlers, err := os.ReadFile(filepath.Join(dir, "handler.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`api\.HandleFunc\("([^"]+)".*Methods\("([A-Z]+)"\)`).FindAllStringSubmatch(string(handlers), -1) {
		routes["/api"+filled(m[1])] = m[2]
	}
	pages, err := os.ReadFile(filepath.Join(dir, "ui", "src", "paths.ts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("ROOT_PATH\\}(/[^`]*)`").FindAllStringSubmatch(string(pages), -1) {
		routes[filled(m[1])] = http.MethodGet
	}
	build := filepath.Join(dir, "ui", "build")
	err = filepath.WalkDir(build, func(p string, d os.DirEntry, err error) error {
		if name := strings.TrimPrefix(p, build); err == nil && !d.IsDir() && name != "/index.html" {
			routes[name] = http.MethodGet
		}
		return err
	})
	if err != nil || len(routes) < 80 {
		t.Fatalf("found %d routes, %v, want all", len(routes), err)
	}
	for path, method := range routes {
		if !ui.Has(path) {
			t.Errorf("the UI has %s, and it is not let through", path)
		}
		if method != http.MethodGet && strings.HasPrefix(path, "/api/") {
			continue // it would change something
		}
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, path, nil)
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, r)
		page := strings.Contains(w.Body.String(), "<!doctype html>")
		if api := strings.HasPrefix(path, "/api/"); api && page || w.Code == http.StatusMethodNotAllowed {
			t.Errorf("%s %s answers %d %.60q", method, path, w.Code, w.Body)
		}
	}
}

func TestTheUIHasNoOtherRoute(t *testing.T) {
	t.Parallel()
	var ui queue.UI
	for _, path := range []string{
		"", "//", "/index.html", "/servers/", "/queues", "/queues/", "/queues/a/b", "/static", "/static/", "/static/js/", "/static/js/a/b",
		"/api", "/api/", "/api/queue", "/api/queues/", "/api/queues/a/b", "/api/queues/a/archived_tasks:archive_all", "/api/queues/a/active_tasks/b",
		"/api/servers/a", "/receipts/shop/huawei/", "/receipts", "/login", "/x/servers", "/serversx",
	} {
		if ui.Has(path) {
			t.Errorf("the UI is said to have %q", path)
		}
	}
}

func TestThePagesOfTheUIAreOnlyRead(t *testing.T) {
	t.Parallel()
	var ui queue.UI
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		w := httptest.NewRecorder()
		ui.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/servers", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s /servers answers %d, want 405", method, w.Code)
		}
	}
}
