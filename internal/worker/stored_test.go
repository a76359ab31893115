package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

var update = flag.Bool("update", false, "rewrite testdata/stored.golden, which later versions must read")

// stored has what a worker and its producers stored in Redis: the ledgers of a
// finished job, of a job of one token and of a waiting job with its chunk and task;
// a dead letter, an invalid token, a receipt, an uploaded message and access tokens.
const stored = "testdata/stored.golden"

// storedV1 is the same, written when headers, chunks and dead letters had version 1.
const storedV1 = "testdata/stored_v1.golden"

const storedSettings = settings + `    oppo: {app_key: "100001", master_secret: demo-secret, base_url: "%[5]s", feedback_url: "%[5]s"}
`

// newStoredRig returns a rig with the vendors of stored.
func newStoredRig(t *testing.T) (*rig, *config.Config) {
	t.Helper()
	r := newRig(t, redistest.Client(t))
	text := fmt.Sprintf(storedSettings, redistest.URL(r.rdb), password, "100001", secret, r.url)
	c, err := config.Parse("test.yaml", []byte(text), registry.All(), config.Source{})
	r.must(err)
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient(), Apps: c.ForClient()})
	r.must(err)
	return r, c
}

// TestWhatIsStoredKeepsItsFormat fails when the format of a value in Redis changes,
// since workers of the previous version read it during an upgrade. If the change is
// intended, raise the value's version, keep the old golden file for
// TestWhatWasStoredIsRead, and write the new one with -update.
func TestWhatIsStoredKeepsItsFormat(t *testing.T) {
	t.Parallel()
	r, c := newStoredRig(t)
	r.start(c)
	r.enqueue("finished", "token-of-a-phone-1", "token-of-a-phone-2", "bad-token-of-a-phone")
	r.ended("finished")
	_, err := r.client.Enqueue(t.Context(), push.Job{
		ID: "marketing", App: "shop", Message: push.Message{Title: "Sale", Body: "Today only", Class: push.Marketing},
		Targets: map[string][]string{"oppo": {"regid-1", "regid-2"}},
	})
	r.must(err)
	r.ended("marketing")
	r.enqueue("single", "token-of-a-phone-3")
	r.ended("single")
	r.must(r.sim.SetFaults([]simulator.Fault{{Endpoint: "send", Status: 500}}))
	_, err = r.client.Enqueue(t.Context(), push.Job{
		ID: "dies", App: "shop", Delivery: push.AtMostOnce, Message: push.Message{Title: "Shipped", Body: "Once"},
		Targets: map[string][]string{"huawei": {"token-of-a-phone-4", "token-of-a-phone-5"}},
	})
	r.must(err)
	r.ended("dies")
	r.must(r.stop())
	for id, tokens := range map[string][]string{"waits": {"token-of-a-phone-6", "token-of-a-phone-7"}, "waits-alone": {"token-of-a-phone-8"}} {
		_, err := r.client.Enqueue(t.Context(), push.Job{
			ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
			Targets: map[string][]string{"huawei": tokens}, ExpiresAt: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		r.must(err)
	}
	r.must((&receipt.Store{Redis: r.rdb}).Put(t.Context(), "shop", "huawei", []vendors.Receipt{{Token: "token-of-a-phone-1"}}, time.Now()))
	got := dump(t, r.rdb)
	if *update {
		r.must(os.WriteFile(stored, []byte(got), 0o600))
	}
	want, err := os.ReadFile(stored)
	r.must(err)
	if a, b := shape(got), shape(string(want)); a != b {
		t.Errorf("the stored values have another format than in %s; got\n%s\nwant\n%s", stored, a, b)
	}
}

// TestWhatWasStoredIsRead restores what each version stored into an empty Redis.
func TestWhatWasStoredIsRead(t *testing.T) {
	t.Parallel()
	for _, file := range []string{storedV1, stored} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			checkReadsStored(t, file)
		})
	}
}

func checkReadsStored(t *testing.T, file string) {
	t.Helper()
	r, c := newStoredRig(t)
	text, err := os.ReadFile(file)
	r.must(err)
	restore(t, r.rdb, string(text))
	for id, want := range map[string][3]int{"finished": {2, 1, 0}, "marketing": {2, 0, 0}, "single": {1, 0, 0}, "dies": {0, 0, 2}} {
		st, err := r.book.Status(t.Context(), id)
		r.must(err)
		if got := [3]int{st.Delivered, st.Invalid, st.Dead}; got != want || !st.Ended() {
			t.Errorf("job %s: %+v, want delivered, invalid and dead to be %v", id, st, want)
		}
	}
	var dead []deadletter.Entry
	r.must((&deadletter.Store{Redis: r.rdb}).Each(t.Context(), wire.EntryFilter{}, func(e *deadletter.Entry) error {
		dead = append(dead, *e)
		return nil
	}))
	if len(dead) != 1 || dead[0].Job != "dies" || dead[0].Count() != 2 || dead[0].Delivery != string(push.AtMostOnce) ||
		dead[0].Reason != wire.DeadUnknownOutcome {
		t.Errorf("dead letters: %+v", dead)
	}
	var found []feed.Entry
	r.must((&feed.Feed{Redis: r.rdb}).Each(t.Context(), time.Time{}, func(all []feed.Entry) error {
		found = append(found, all...)
		return nil
	}))
	if len(found) != 1 || found[0].Token != "bad-token-of-a-phone" || found[0].Action != "delete" {
		t.Errorf("the feed of invalid tokens: %+v", found)
	}
	for _, key := range keys(t, r.rdb, "postrider:saved:*") {
		name := key[strings.LastIndex(key, ":")+1:]
		id, err := (&upload.Store{Redis: r.rdb}).ID(t.Context(), upload.Message{App: "shop", Vendor: "oppo", Key: name},
			func(context.Context) (vendors.Uploaded, error) {
				return vendors.Uploaded{}, fmt.Errorf("it was saved before")
			})
		if err != nil || id == "" {
			t.Errorf("uploaded message: %q, %v", id, err)
		}
	}
	checkReadsAccess(t, r.rdb)
	r.start(c)
	for _, id := range []string{"waits", "waits-alone"} {
		if st := r.ended(id); st.Delivered != st.Accepted {
			t.Errorf("job %s waited in Redis: %+v, want it delivered", id, st)
		}
	}
	r.eventually("the receipt is applied", func() bool {
		return r.rdb.XLen(t.Context(), wire.ReceiptStream).Val() == 0
	})
}

// granter always grants the same access token.
type granter struct {
	access string
	asked  int
}

func (g *granter) Grant(context.Context, time.Time) (vendors.Grant, error) {
	g.asked++
	return vendors.Grant{Access: g.access, Lifetime: time.Hour}, nil
}

// checkReadsAccess checks that a stored access token is used. Its Redis key depends
// on the credentials, which depend on the addresses of a run, so the stored value
// replaces one that was stored just now.
func checkReadsAccess(t *testing.T, rdb *redis.Client) {
	t.Helper()
	ctx, g := t.Context(), &granter{access: "new"}
	if _, err := (&accesstoken.Store{Redis: rdb}).Access(ctx, "other", "huawei", g, "fingerprint"); err != nil {
		t.Fatal(err)
	}
	text := rdb.Get(ctx, keys(t, rdb, "postrider:auth:{shop:huawei}:*")[0]).Val()
	var want struct{ Access string }
	if err := json.Unmarshal([]byte(text), &want); err != nil || want.Access == "" {
		t.Fatalf("the golden file has no access token: %v", err)
	}
	if err := rdb.Set(ctx, keys(t, rdb, "postrider:auth:{other:huawei}:*")[0], text, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	// This run's simulator may have the address, and so the key, of the recorded one.
	if err := rdb.Del(ctx, keys(t, rdb, "postrider:auth:{shop:*")...).Err(); err != nil {
		t.Fatal(err)
	}
	got, err := (&accesstoken.Store{Redis: rdb}).Access(ctx, "other", "huawei", g, "fingerprint")
	if err != nil || got != want.Access || g.asked != 1 {
		t.Errorf("access token %q, %v after %d grants; want the stored one", got, err, g.asked)
	}
}

// TestANewerVersionIsRequeued is a rolling upgrade as the old worker sees it.
func TestANewerVersionIsRequeued(t *testing.T) {
	t.Parallel()
	for name, newer := range map[string]func(*rig){
		"a chunk": func(r *rig) {
			for _, key := range keys(t, r.rdb, "postrider:chunk:*") {
				r.must(r.rdb.SetRange(t.Context(), key, 1, "3").Err())
			}
		},
		"a task": func(r *rig) {
			for _, key := range keys(t, r.rdb, "asynq:{huawei:normal}:t:*") {
				msg := r.rdb.HGet(t.Context(), key, "msg").Val()
				r.must(r.rdb.HSet(t.Context(), key, "msg", strings.Replace(msg, `{"v":2,`, `{"v":3,`, 1)).Err())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := newStoredRig(t)
			r.enqueue("order-42", "token-of-a-phone-1", "token-of-a-phone-2")
			before := len(keys(t, r.rdb, "postrider:chunk:*"))
			newer(r)
			r.start(c)
			r.eventually("it is requeued", func() bool {
				return r.rdb.ZCard(t.Context(), "asynq:{huawei:normal}:retry").Val() == 1
			})
			st, err := r.book.Status(t.Context(), "order-42")
			r.must(err)
			if st.Pending != 2 || len(keys(t, r.rdb, "postrider:chunk:*")) != before || r.rdb.ZCard(t.Context(), "asynq:{huawei:normal}:archived").Val() != 0 {
				t.Errorf("got %+v, want it untouched", st)
			}
			if n := r.sim.Report().Vendors["huawei"].Accepted; n != 0 {
				t.Errorf("%d tokens were sent by a worker that cannot read them", n)
			}
		})
	}
}

func keys(t *testing.T, rdb *redis.Client, pattern string) []string {
	t.Helper()
	all, err := rdb.Keys(t.Context(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// dump returns what is in Redis, one line for each value.
func dump(t *testing.T, rdb *redis.Client) string {
	t.Helper()
	var b strings.Builder
	line := func(words ...string) {
		for i, w := range words {
			words[i] = strconv.QuoteToASCII(w)
		}
		fmt.Fprintln(&b, strings.Join(words, " "))
	}
	ctx := t.Context()
	for _, job := range slices.Sorted(slices.Values(append(rdb.ZRange(ctx, wire.JobsKey, 0, -1).Val(), rdb.ZRange(ctx, wire.EndedJobsKey, 0, -1).Val()...))) {
		line(wire.JobsKey, "zset", job, "1") // in one of the two: an ended job is moved some time after its end
	}
	for _, key := range append(keys(t, rdb, "postrider:*"), keys(t, rdb, "asynq:*")...) {
		if key == wire.JobsKey || key == wire.EndedJobsKey {
			continue
		}
		if regexp.MustCompile(`^postrider:(call|rate|pause|guard|turn|pull|sweep|sweeper|adopted|jobs:count|webhook:lease)\b`).MatchString(key) {
			continue // short-lived
		}
		if strings.HasPrefix(key, "asynq:") && !regexp.MustCompile(`^asynq:(queues$|.*:(pending$|t:))`).MatchString(key) {
			continue // asynq's own statistics
		}
		kind := rdb.Type(ctx, key).Val()
		switch kind {
		case "string":
			line(key, kind, rdb.Get(ctx, key).Val())
		case "hash":
			all := rdb.HGetAll(ctx, key).Val()
			for _, f := range slices.Sorted(maps.Keys(all)) {
				line(key, kind, f, all[f])
			}
		case "list":
			for _, v := range rdb.LRange(ctx, key, 0, -1).Val() {
				line(key, kind, v)
			}
		case "set":
			for _, v := range slices.Sorted(slices.Values(rdb.SMembers(ctx, key).Val())) {
				line(key, kind, v)
			}
		case "zset":
			for _, z := range rdb.ZRangeWithScores(ctx, key, 0, -1).Val() {
				line(key, kind, fmt.Sprint(z.Member), strconv.FormatFloat(z.Score, 'f', -1, 64))
			}
		case "stream":
			for _, e := range rdb.XRange(ctx, key, "-", "+").Val() {
				words := []string{key, kind, e.ID}
				for _, f := range slices.Sorted(maps.Keys(e.Values)) {
					words = append(words, f, fmt.Sprint(e.Values[f]))
				}
				line(words...)
			}
		default:
			t.Errorf("%s is a %s, which dump does not support", key, kind)
		}
	}
	return b.String()
}

// shape is a dump without what differs in every run: times, random names, values
// derived from both, and chunks and tasks, whose bytes other tests check.
func shape(text string) string {
	for _, r := range []struct{ pattern, by string }{
		{`(?m)^("postrider:chunk:[^"]*" "string") .*$`, "$1 CHUNK"},
		{`(?m)^("asynq:[^"]*" "hash" "msg") .*$`, "$1 TASK"},
		{`\d{4}-\d\d-\d\dT[0-9:.]*Z`, "TIME"},
		{`\b\d{10,19}(-\d+)?\b`, "NUMBER"},
		{`[0-9a-f]{32}`, "DIGEST"},
		{`[0-9a-f]{24}`, "NAME"},
		{`(postrider:auth:\{[a-z:]*\}:)[0-9a-f]{16}`, "${1}CREDENTIALS"},
		{`\{[a-z0-9]{12}\}`, "{CHUNK}"},
		{`([-:])[a-z0-9]{11,13}("|\\t)`, `${1}RANDOM$2`},
		{`(\\"access\\":\\")[^\\]*`, "${1}ACCESS"},
		{`"1([a-z])[0-9a-z]{6} `, `"1${1}TIME `},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.by)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// restore writes a dump into Redis.
func restore(t *testing.T, rdb *redis.Client, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var w []string
		for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%q: %v", rest, err)
			}
			word, _ := strconv.Unquote(quoted)
			w, rest = append(w, word), rest[len(quoted):]
		}
		ctx, key := t.Context(), w[0]
		var err error
		switch w[1] {
		case "string":
			err = rdb.Set(ctx, key, w[2], time.Hour).Err()
		case "hash":
			err = rdb.HSet(ctx, key, w[2], w[3]).Err()
		case "list":
			err = rdb.RPush(ctx, key, w[2]).Err()
		case "set":
			err = rdb.SAdd(ctx, key, w[2]).Err()
		case "zset":
			score, bad := strconv.ParseFloat(w[3], 64)
			err = errors.Join(bad, rdb.ZAdd(ctx, key, redis.Z{Score: score, Member: w[2]}).Err())
		case "stream":
			err = rdb.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: w[2], Values: w[3:]}).Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
}
