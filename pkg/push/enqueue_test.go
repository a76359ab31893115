package push_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestEnqueueASingleToken(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	got, err := newClient(t, rdb).Enqueue(t.Context(), to(job("order-42"), "three", "tok"))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(got); string(b) != `{"job":"order-42","accepted":1,"refused":[],"chunks":1}` {
		t.Errorf("the result is %s", b)
	}
	if l := rdb.Get(t.Context(), wire.JobKey("order-42")).Val(); l != "1p0 shop" {
		t.Errorf("the ledger is %q, want a string of one pending token", l)
	}
	b := open(t, rdb)
	b.wantTokens(t, "order-42", "three", []string{"tok"})
	want := wire.Header{Version: wire.HeaderVersion, Job: "order-42", App: "shop", Tokens: 1, Start: noon.UnixMilli(), Expires: noon.Add(24 * time.Hour).Unix()}
	have := b.tasks[0].header
	want.Chunk, want.Message = have.Chunk, have.Message
	if have != want || len(have.Message) != 32 || !strings.HasPrefix(have.Chunk, "{order-42}:three:") {
		t.Errorf("the task's header is %+v, want %+v", have, want)
	}
	if e := b.tasks[0].chunk.Entries[0]; !e.Single || e.AtMostOnce || e.Message != 0 {
		t.Errorf("the chunk's entry is %+v, want a single job with its message", e)
	}
	if lane, id := b.tasks[0].lane, b.tasks[0].id; lane != "three:normal" || !strings.HasPrefix(id, "order_42-") {
		t.Errorf("task %s is in lane %s", id, lane)
	}
}

func TestEnqueueSeveralVendors(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(to(job("j"), "three", tokens("t", 7)...), "five", tokens("f", 11)...)
	j.Priority = push.High
	got, err := newClient(t, rdb).Enqueue(t.Context(), j)
	if err != nil || got.Accepted != 18 || got.Chunks != 6 {
		t.Fatalf("got %+v, %v, want 18 tokens in 3 + 3 chunks", got, err)
	}
	b := open(t, rdb)
	sizes := map[string][]int{}
	for _, task := range b.tasks {
		sizes[task.lane] = append(sizes[task.lane], task.header.Tokens)
	}
	for lane, want := range map[string][]int{"three:high": {1, 3, 3}, "five:high": {1, 5, 5}} {
		if have := slices.Sorted(slices.Values(sizes[lane])); !slices.Equal(have, want) {
			t.Errorf("lane %s has chunks of %v, want %v", lane, have, want)
		}
	}
	for vendor, want := range j.Targets {
		if have := slices.Sorted(slices.Values(b.tokens["j"][vendor])); !slices.Equal(have, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s gets %v, want %v", vendor, have, want)
		}
	}
	want := map[string]string{"state": "running", "app": "shop", "accepted": "18", "created": fmt.Sprint(noon.Unix()), "keep": "0"}
	if have := rdb.HGetAll(t.Context(), wire.JobKey("j")).Val(); fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("the ledger is %v, want %v", have, want)
	}
}

func TestATokenTwiceInAJobIsSentOnce(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(to(job("j"), "three", "a", "b", "a", "a"), "five", "a", "a")
	got, err := newClient(t, rdb).Enqueue(t.Context(), j)
	if err != nil || got.Accepted != 3 || len(got.Refused) != 0 {
		t.Errorf("got %+v, %v, want a and b for three, and a for five", got, err)
	}
	b := open(t, rdb)
	b.wantTokens(t, "j", "three", []string{"a", "b"})
	b.wantTokens(t, "j", "five", []string{"a"})
}

// refusedTokens are what no vendor could take, with the reason.
func refusedTokens() map[string]string {
	return map[string]string{
		"":                           "is empty",
		strings.Repeat("x", 4097):    "has 4097 bytes, at most 4096",
		"secret token":               "holds white space",
		"secret\ttoken":              "holds white space",
		"secret\n":                   "holds white space",
		"secret\u00a0token":          "holds white space",
		"secret\u3000token":          "holds white space",
		"secret\x00":                 "holds a control character",
		"secret\x7f":                 "holds a control character",
		"secret\u0085é"[:6] + "\x1b": "holds a control character",
		"é-secret\x01":               "holds a control character",
		"secret\u0090":               "holds a control character",
		"secret,token":               "holds ',', which separates tokens at the vendors",
		"secret;token":               "holds ';', which separates tokens at the vendors",
		"é;secret":                   "holds ';', which separates tokens at the vendors",
		"secret\xff":                 "is not UTF-8",
		"\xc3":                       "is not UTF-8",
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	for token, want := range refusedTokens() {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			got, err := newClient(t, rdb).Enqueue(t.Context(), to(job("j"), "three", "good", token, "better"))
			if err != nil || got.Accepted != 2 {
				t.Fatalf("got %+v, %v, want the other two accepted", got, err)
			}
			if refused := []push.Refusal{{Position: 2, Vendor: "three", Reason: want}}; !slices.Equal(got.Refused, refused) {
				t.Errorf("refused is %+v, want %+v", got.Refused, refused)
			}
			noSecret(t, fmt.Sprintf("%+v", got))
			b := open(t, rdb)
			b.wantTokens(t, "j", "three", []string{"good", "better"})
		})
	}
}

func noSecret(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "secret") || strings.Contains(text, "xxx") {
		t.Errorf("the token is given away in %s", text)
	}
}

func TestEveryByteAtEveryPlaceOfAToken(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var all []string
	want := map[int]string{} // reasons by position
	for _, length := range []int{1, 7, 8, 9, 15, 16, 17} {
		for place := range length {
			for b := range 256 {
				token := []byte("AbCdEfGhIjKlMnOpQ")[:length]
				token[place] = byte(b)
				all = append(all, string(token))
				switch {
				case b >= 0x80:
					want[len(all)] = "is not UTF-8"
				case b == ' ' || b >= '\t' && b <= '\r':
					want[len(all)] = "holds white space"
				case b < ' ' || b == 0x7f:
					want[len(all)] = "holds a control character"
				case b == ',' || b == ';':
					want[len(all)] = fmt.Sprintf("holds %q, which separates tokens at the vendors", rune(b))
				}
			}
		}
	}
	got, err := newClient(t, rdb, big).Enqueue(t.Context(), to(job("j"), "big", all...))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got.Refused {
		if want[r.Position] != r.Reason {
			t.Errorf("%q: %s, want %q", all[r.Position-1], r.Reason, want[r.Position])
		}
		delete(want, r.Position)
	}
	for position, reason := range want {
		t.Errorf("%q was accepted, want: %s", all[position-1], reason)
	}
}

func TestTheLongestTokenIsAccepted(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	all := []string{strings.Repeat("x", push.MaxTokenBytes), "é", "设备", "~!@#$%^&*()'\"\\|/?<>{}[]:"}
	got, err := newClient(t, rdb).Enqueue(t.Context(), to(job("j"), "five", all...))
	if err != nil || got.Accepted != 4 || len(got.Refused) != 0 {
		t.Errorf("got %d accepted, %+v refused, %v", got.Accepted, got.Refused, err)
	}
	b := open(t, rdb)
	b.wantTokens(t, "j", "five", all)
}

func TestAJobWithNoTokenLeftIsRefused(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	got, err := newClient(t, rdb).Enqueue(t.Context(), to(to(job("j"), "three", "secret token"), "five", "", "secret,"))
	var invalid *push.InvalidError
	if !errors.As(err, &invalid) || invalid.Job != "j" || err.Error() != "targets: no token can be sent to: number 1 for five is empty" {
		t.Errorf("got %v, want the first reason", err)
	}
	if len(got.Refused) != 3 || got.Accepted != 0 {
		t.Errorf("the result is %+v, want three refusals", got)
	}
	noSecret(t, fmt.Sprintf("%+v %v", got, err))
	wantEmpty(t, rdb)
}

func TestDefaultsOfAJob(t *testing.T) {
	t.Parallel()
	later := noon.Add(1500 * time.Millisecond)
	for _, c := range []struct {
		name           string
		change         func(*push.Job)
		start, expires time.Time
		due            int64
		lane           string
		atMostOnce     bool
	}{
		{"nothing said", func(*push.Job) {}, noon, noon.Add(24 * time.Hour), 0, "three:normal", false},
		{"a ttl", func(j *push.Job) { j.Message.TTL = push.Duration(time.Hour) }, noon, noon.Add(time.Hour), 0, "three:normal", false},
		{"an end", func(j *push.Job) { j.ExpiresAt = noon.Add(time.Minute) }, noon, noon.Add(time.Minute), 0, "three:normal", false},
		{"an end in the year 9999", func(j *push.Job) { j.ExpiresAt = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }, noon,
			time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 0, "three:normal", false},
		{"a start, rounded up to asynq's second", func(j *push.Job) { j.NotBefore = later }, later, later.Add(24 * time.Hour),
			noon.Unix() + 2, "three:normal", false},
		{"a start and a ttl", func(j *push.Job) { j.NotBefore, j.Message.TTL = later, push.Duration(time.Hour) }, later, later.Add(time.Hour),
			noon.Unix() + 2, "three:normal", false},
		{"a start in the past", func(j *push.Job) { j.NotBefore = noon.Add(-time.Hour) }, noon, noon.Add(24 * time.Hour), 0, "three:normal", false},
		{"a priority", func(j *push.Job) { j.Priority = push.Bulk }, noon, noon.Add(24 * time.Hour), 0, "three:bulk", false},
		{"a delivery", func(j *push.Job) { j.Delivery = push.AtMostOnce }, noon, noon.Add(24 * time.Hour), 0, "three:normal", true},
		{"the app's delivery", func(j *push.Job) { j.App = "mini" }, noon, noon.Add(24 * time.Hour), 0, "three:normal", true},
		{"another delivery than the app's", func(j *push.Job) { j.App, j.Delivery = "mini", push.AtLeastOnce }, noon, noon.Add(24 * time.Hour),
			0, "three:normal", false},
	} {
		for _, size := range []int{1, 2, 1200} {
			t.Run(fmt.Sprintf("%s with %d tokens", c.name, size), func(t *testing.T) {
				t.Parallel()
				rdb := redistest.Client(t)
				j := to(job("j"), "three", tokens("t", size)...)
				c.change(&j)
				if _, err := newClient(t, rdb).Enqueue(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				for _, task := range open(t, rdb).tasks {
					e := task.chunk.Entries[0]
					if e.Start != c.start.UnixMilli() || e.Expires != c.expires.UnixMilli() || e.AtMostOnce != c.atMostOnce || e.Single != (size == 1) {
						t.Fatalf("the entry is %+v, want %d to %d, at most once %v", e, c.start.UnixMilli(), c.expires.UnixMilli(), c.atMostOnce)
					}
					if task.due != c.due || task.lane != c.lane || task.header.Expires != c.expires.Unix() {
						t.Fatalf("the task %+v is due at %d in %s, want %d in %s", task.header, task.due, task.lane, c.due, c.lane)
					}
				}
			})
		}
	}
}

func TestAnAppsOwnBatchCutsSmallerChunks(t *testing.T) {
	t.Parallel()
	for _, size := range []int{5, 2001} {
		rdb := redistest.Client(t)
		j := to(job("j"), "three", tokens("t", size)...)
		j.App = "mini"
		got, err := newClient(t, rdb).Enqueue(t.Context(), j)
		if err != nil || got.Chunks != (size+1)/2 {
			t.Errorf("got %+v, %v, want chunks of 2", got, err)
		}
		for _, task := range open(t, rdb).tasks {
			if task.header.Tokens > 2 {
				t.Errorf("a chunk has %d tokens, want 2 at most", task.header.Tokens)
			}
		}
	}
}

func TestAJobWithoutIDGetsOne(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb)
	jobs := []push.Job{to(job(""), "three", "a"), to(job(""), "three", "a")}
	out := c.EnqueueMany(t.Context(), jobs)
	if out[0].Err != nil || out[1].Err != nil || len(out[0].Result.Job) < 16 || out[0].Result.Job == out[1].Result.Job {
		t.Errorf("got %+v, want two ids", out)
	}
	if jobs[0].ID != "" || jobs[0].Priority != "" {
		t.Errorf("the caller's job became %+v", jobs[0])
	}
	open(t, rdb)
}

func TestWithNoAppsKnownEveryAppIsAccepted(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb, func(o *push.Options) { o.Apps = nil })
	j := to(job("j"), "five", tokens("t", 6)...)
	j.App = "whatever"
	if got, err := c.Enqueue(t.Context(), j); err != nil || got.Chunks != 2 {
		t.Errorf("got %+v, %v, want the vendor's own limit", got, err)
	}
	open(t, rdb)
}

func TestNewClientRefusesVendorsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		vendors []push.Vendor
		want    string
	}{
		{"none", nil, "Options.Vendors is empty"},
		{"no batch", []push.Vendor{{Name: "a"}}, `vendor "a" has a Batch of 0, want 1 to 65535`},
		{"a batch that no chunk holds", []push.Vendor{{Name: "a", Batch: 65536}}, `vendor "a" has a Batch of 65536, want 1 to 65535`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := push.NewClient(nil, push.Options{Vendors: c.vendors}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWithoutRedisNothingIsEnqueuedAndLaterItIs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 4, 1200} {
		t.Run(fmt.Sprintf("%d tokens", size), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), DialerRetries: 1})
			defer rdb.Close()
			c := newClient(t, rdb)
			server.Kill()
			j := to(job("j"), "three", tokens("t", size)...)
			if _, err := c.Enqueue(t.Context(), j); err == nil || errors.Is(err, push.ErrDuplicate) || !strings.Contains(err.Error(), "job j") {
				t.Errorf("without Redis: %v, want its fault and the job", err)
			}
			server.Restart(t)
			if got, err := c.Enqueue(t.Context(), j); err != nil || got.Accepted != size {
				t.Errorf("later: %+v, %v", got, err)
			}
			open(t, rdb)
		})
	}
}
