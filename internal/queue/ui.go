package queue

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// UI is asynq's web UI. Close releases it.
type UI struct {
	*asynqmon.HTTPHandler
	rdb redis.UniversalClient
}

var _ http.Handler = UI{}

// opener is an asynq.RedisConnOpt for any kind of Redis.
type opener func() redis.UniversalClient

// MakeRedisClient opens a client that the UI closes itself.
func (o opener) MakeRedisClient() any { return o() }

var _ asynq.RedisConnOpt = opener(nil)

// NewUI returns asynq's web UI on connections that open makes. Payloads are
// shown as they are: they hold no tokens.
func NewUI(open func() redis.UniversalClient) UI {
	text := func(_ string, b []byte) string { return string(b) }
	return UI{asynqmon.New(asynqmon.Options{
		RootPath:         "/",
		RedisConnOpt:     opener(open),
		PayloadFormatter: asynqmon.PayloadFormatterFunc(text),
		ResultFormatter:  asynqmon.ResultFormatterFunc(text),
	}), open()}
}

// Close closes the UI's connections.
func (u UI) Close() error { return errors.Join(u.HTTPHandler.Close(), u.rdb.Close()) }

// Has reports whether the UI has this path. The UI itself would answer every other path
// with its page and 200, also a receipt that a vendor sends to a wrong path.
func (UI) Has(path string) bool { return uiPages.MatchString(path) || uiAPI.MatchString(path) }

// ServeHTTP accepts only GET and HEAD for pages and files, and deletes tasks itself.
func (u UI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if uiPages.MatchString(r.URL.Path) && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if m, ok := asRemoval(r); ok {
		m.serve(w, r, u.rdb)
		return
	}
	u.HTTPHandler.ServeHTTP(w, r)
}

var (
	// uiPages are the pages and files of asynqmon v0.7.2 (ui/src/paths.ts, ui/build).
	uiPages = oneOf(
		"/", "/settings", "/servers", "/schedulers", "/redis", "/q/metrics", "/queues/*", "/queues/*/tasks/*",
		"/static/js/*", "/static/media/*", "/manifest.json", "/asset-manifest.json", "/robots.txt", "/favicon.ico",
		"/favicon-16x16.png", "/favicon-32x32.png", "/apple-touch-icon.png", "/android-chrome-192x192.png", "/android-chrome-512x512.png",
	)
	// uiAPI are the paths of its API (handler.go).
	uiAPI = oneOf(append([]string{
		"/api/queues", "/api/queues/*", "/api/queue_stats", "/api/queues/*/tasks/*", "/api/queues/*/groups",
		"/api/servers", "/api/scheduler_entries", "/api/scheduler_entries/*/enqueue_events", "/api/redis_info", "/api/metrics",
	}, taskPaths()...)...)
)

// taskPaths are the paths of lists of tasks: of all, of some, and of one.
func taskPaths() []string {
	const remove, archive, run, cancel = "delete", "archive", "run", "cancel"
	var all []string
	for list, verbs := range map[string][]string{
		"active_tasks":               {cancel},
		"pending_tasks":              {remove, archive},
		"scheduled_tasks":            {remove, run, archive},
		"retry_tasks":                {remove, run, archive},
		"archived_tasks":             {remove, run},
		"completed_tasks":            {remove},
		"groups/*/aggregating_tasks": {remove, run, archive},
	} {
		at := "/api/queues/*/" + list
		all = append(all, at)
		for _, verb := range verbs {
			all = append(all, at+":"+verb+"_all", at+":batch_"+verb)
			if verb == remove {
				all = append(all, at+"/*")
			} else {
				all = append(all, at+"/*:"+verb)
			}
		}
	}
	return all
}

// oneOf matches the paths, in which * is one part that is not empty.
func oneOf(paths ...string) *regexp.Regexp {
	for i, p := range paths {
		paths[i] = strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, `[^/]+`)
	}
	return regexp.MustCompile("^(?:" + strings.Join(paths, "|") + ")$")
}
