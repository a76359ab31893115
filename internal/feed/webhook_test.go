package feed_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

const webhookSecret = "secret-of-the-webhook"

// post is one call as the receiver saw it.
type post struct {
	header http.Header
	body   []byte
	tokens []string
}

// receiver is an application's server, and a webhook that calls it.
type receiver struct {
	*testing.T
	rdb  *redis.Client
	hook *feed.Webhook
	url  string

	mu        sync.Mutex
	posts     []post
	answers   []int // in turn, then 204
	log       bytes.Buffer
	delivered int
	failed    int
	behind    []int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{T: t, rdb: redistest.Client(t)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/hooks/key-in-the-address"
	r.hook = &feed.Webhook{
		Redis: r.rdb, Client: server.Client(), Meter: r, Log: zerolog.New(r),
		Target: func() (string, string) { return r.url, webhookSecret },
		Now:    func() time.Time { return time.Unix(1_800_000_000, 0) },
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	p := post{header: req.Header, body: body}
	var v struct{ Entries []feed.Entry }
	if err := json.Unmarshal(body, &v); err != nil || req.Method != http.MethodPost {
		r.Errorf("got %s %s", req.Method, body)
	}
	for _, e := range v.Entries {
		p.tokens = append(p.tokens, e.Token)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = append(r.posts, p)
	status := http.StatusNoContent
	if len(r.answers) > 0 {
		status, r.answers = r.answers[0], r.answers[1:]
	}
	if status/100 == 3 {
		w.Header().Set("Location", r.url)
	}
	w.WriteHeader(status)
}

func (r *receiver) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *receiver) Delivered(n int) { r.mu.Lock(); defer r.mu.Unlock(); r.delivered += n }
func (r *receiver) Failed()         { r.mu.Lock(); defer r.mu.Unlock(); r.failed++ }
func (r *receiver) Behind(n int, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behind = append(r.behind, n)
}

// run has the webhook tell until ok, and stops it.
func (r *receiver) run(what string, ok func() bool) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.hook.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	limit, again := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			r.Fatal("not within 20 s: " + what)
		}
	}
}

// told are all tokens in the order in which they were told.
func (r *receiver) told() []string {
	var all []string
	for _, p := range r.posts {
		all = append(all, p.tokens...)
	}
	return all
}

func TestTheWebhookGetsEntriesInOrderFromItsCursor(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	add(t, r.rdb, 0, 1203)
	r.run("1,203 are delivered", func() bool { return r.delivered == 1203 })
	var sizes []int
	for _, p := range r.posts {
		sizes = append(sizes, len(p.tokens))
	}
	if !slices.Equal(sizes, []int{500, 500, 203}) || !slices.Equal(r.told(), numbered(1203)) {
		t.Errorf("calls have %v entries, want 500, 500, 203 in order", sizes)
	}
	if r.behind[0] != 1203 || r.behind[len(r.behind)-1] != 0 {
		t.Errorf("the lag was %v, want 1203 at first and 0 at last", r.behind)
	}
	// Another worker goes on where this one ended.
	add(t, r.rdb, 1203, 2)
	r.hook = &feed.Webhook{Redis: r.rdb, Client: r.hook.Client, Meter: r, Log: r.hook.Log, Target: r.hook.Target}
	r.run("two more are delivered", func() bool { return r.delivered == 1205 })
	if !slices.Equal(r.told(), numbered(1205)) {
		t.Error("something was told twice, or left out")
	}
	if n := r.rdb.XLen(t.Context(), wire.InvalidStream).Val(); n != 1205 {
		t.Errorf("the feed has %d entries, want all", n)
	}
}

// The signature is verified as a receiver would that has only the documents.
func TestTheWebhookIsSigned(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	hold(t, r.rdb, "held")
	if err := r.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.InvalidStream, Values: []any{
		"app", "shop", "vendor", "xiaomi", "token", "t1", "code", "xiaomi/receipt/16", "reason", "moved", "job", "a",
		"at", foundAt, "action", "replace", "replacement", "t9",
	}}).Err(); err != nil {
		t.Fatal(err)
	}
	r.run("one is delivered", func() bool { return r.delivered == 1 })
	p := r.posts[0]
	m := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(p.header.Get("X-Postrider-Signature"))
	if m == nil || m[1] != "1800000000" || p.header.Get("Content-Type") != "application/json" {
		t.Fatalf("the header is %v", p.header)
	}
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write(append([]byte(m[1]+"."), p.body...))
	if hex.EncodeToString(mac.Sum(nil)) != m[2] {
		t.Error("the signature is wrong")
	}
	var body map[string][]map[string]any
	if err := json.Unmarshal(p.body, &body); err != nil || len(body) != 1 || len(body["entries"]) != 1 {
		t.Fatalf("the body is %s, %v", p.body, err)
	}
	want := map[string]any{
		"app": "shop", "vendor": "xiaomi", "token": "t1", "code": "xiaomi/receipt/16", "reason": "moved", "job": "a", "at": foundAt,
		"action": "replace", "replacement": "t9",
	}
	got := body["entries"][0]
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
	if len(got) != len(want)+1 || got["id"] == "" {
		t.Errorf("the entry is %v, want an id besides", got)
	}
}

func TestEntriesThatTheWebhookDoesNotTakeAreSentAgain(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"an error": 500, "a redirect": 307, "a refusal": 401} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.answers = []int{status, status}
			add(t, r.rdb, 0, 2)
			r.run("it is delivered", func() bool { return r.delivered == 2 })
			if want := slices.Repeat(numbered(2), 3); !slices.Equal(r.told(), want) || r.failed != 2 {
				t.Errorf("told %q with %d failures, want the two entries three times", r.told(), r.failed)
			}
			log := r.log.String()
			if strings.Count(log, `"level":"error"`) != 1 || strings.Count(log, `"level":"info"`) != 1 {
				t.Errorf("want one line for the outage and one for its end:\n%s", log)
			}
		})
	}
}

func TestTheWebhooksAddressAndSecretAreNotLogged(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.url = "http://127.0.0.1:1/hooks/key-in-the-address"
	add(t, r.rdb, 0, 1)
	r.run("a call failed", func() bool { return r.failed == 1 && r.log.Len() > 0 })
	if log := r.log.String(); strings.Contains(log, "key-in") || strings.Contains(log, webhookSecret) || !strings.Contains(log, "refused") {
		t.Errorf("the log is %s", log)
	}
	if r.rdb.Exists(t.Context(), wire.WebhookCursorKey).Val() != 0 {
		t.Error("the cursor was moved")
	}
}

// A worker that was frozen wakes up: another one is further on.
func TestAWorkerWhoseCursorWasMovedEnds(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	add(t, r.rdb, 0, 3)
	ids := r.rdb.XRange(t.Context(), wire.InvalidStream, "-", "+").Val()
	r.rdb.Set(t.Context(), wire.WebhookCursorKey, ids[0].ID, 0)
	asked := 0
	r.hook.Target = func() (string, string) {
		if asked++; asked == 2 { // for the call: the entries were read
			r.rdb.Set(t.Context(), wire.WebhookCursorKey, ids[2].ID, 0)
		}
		return r.url, webhookSecret
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r.hook.Run(ctx)
	if ctx.Err() != nil {
		t.Error("it went on for 20 s")
	}
	if got := r.rdb.Get(t.Context(), wire.WebhookCursorKey).Val(); got != ids[2].ID {
		t.Errorf("the cursor is %s, want it left at %s", got, ids[2].ID)
	}
}

func TestWithoutAnAddressNothingIsSent(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.url = ""
	add(t, r.rdb, 0, 1)
	r.hook.Run(t.Context()) // returns at once
	if r.hook.Wanted() || len(r.posts) != 0 {
		t.Error("somebody was told")
	}
}
