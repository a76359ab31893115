package push_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
)

// ones makes n jobs of one token each.
func ones(n int) []push.Job {
	jobs := make([]push.Job, n)
	for i := range jobs {
		jobs[i] = to(job(fmt.Sprintf("j%04d", i)), "big", fmt.Sprintf("t%04d", i))
	}
	return jobs
}

// big is a vendor that takes as many tokens as the real ones.
func big(o *push.Options) {
	o.Vendors = append(o.Vendors, push.Vendor{Name: "big", Batch: 1000})
	o.Apps = map[string]push.App{"shop": {"three": {}, "five": {}, "big": {}}, "other": {"big": {}}}
}

func TestSmallJobsOfOneAppAndVendorShareAChunk(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	jobs := ones(1000)
	for i, o := range newClient(t, rdb, big).EnqueueMany(t.Context(), jobs) {
		if o.Err != nil || o.Result.Job != jobs[i].ID || o.Result.Accepted != 1 || o.Result.Chunks != 1 {
			t.Fatalf("job %d: %+v", i, o)
		}
	}
	b := open(t, rdb)
	if len(b.tasks) != 1 || len(b.accepted) != 1000 {
		t.Fatalf("%d tasks and %d ledgers, want 1 and 1000", len(b.tasks), len(b.accepted))
	}
	only := b.tasks[0]
	if h := only.header; h.Jobs != 1000 || h.Tokens != 1000 || h.Job != "" || h.Message == "" || !strings.HasPrefix(only.id, "1000 jobs-") {
		t.Errorf("task %s has the header %+v", only.id, h)
	}
	if m := only.chunk.Messages; len(m) != 1 {
		t.Errorf("the chunk holds %d messages, want the one that all have", len(m))
	}
	for i, e := range only.chunk.Entries {
		if e.Job != jobs[i].ID || !e.Single || e.Tokens[0] != jobs[i].Targets["big"][0] {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
}

func TestSharedChunksStayWithinTheBatch(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var jobs []push.Job
	for i := range 7 {
		jobs = append(jobs, to(job(fmt.Sprint("j", i)), "three", tokens("t", 2)...))
	}
	for _, o := range newClient(t, rdb).EnqueueMany(t.Context(), jobs) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	for _, task := range open(t, rdb).tasks {
		if task.header.Tokens > 3 {
			t.Errorf("a chunk has %d tokens, want 3 at most", task.header.Tokens)
		}
	}
}

func TestWhatKeepsJobsOutOfOneChunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*push.Job)
		tasks  int
	}{
		{"nothing", func(*push.Job) {}, 1},
		{"another message", func(j *push.Job) { j.Message.Body = "Delivered" }, 1},
		{"another end", func(j *push.Job) { j.ExpiresAt = noon.Add(time.Hour) }, 1},
		{"another delivery", func(j *push.Job) { j.Delivery = push.AtMostOnce }, 1},
		{"another app", func(j *push.Job) { j.App = "other" }, 2},
		{"another priority", func(j *push.Job) { j.Priority = push.High }, 2},
		{"another vendor", func(j *push.Job) { j.Targets = map[string][]string{"five": {"t"}} }, 2},
		{"another start", func(j *push.Job) { j.NotBefore = noon.Add(time.Hour) }, 2},
		{"a message that is too long to share", func(j *push.Job) { j.Message.Body = strings.Repeat("x", 200<<10) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			jobs := ones(3)
			if c.name == "a message that is too long to share" {
				c.change(&jobs[0])
			}
			c.change(&jobs[1])
			for _, o := range newClient(t, rdb, big).EnqueueMany(t.Context(), jobs) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
			}
			b := open(t, rdb)
			if len(b.tasks) != c.tasks {
				t.Errorf("%d tasks, want %d", len(b.tasks), c.tasks)
			}
			for _, task := range b.tasks {
				if n := len(task.chunk.Messages); (n == 1) != (task.header.Message != "") {
					t.Errorf("a chunk of %d messages has the header %+v", n, task.header)
				}
				for _, e := range task.chunk.Entries {
					j := jobs[slices.IndexFunc(jobs, func(j push.Job) bool { return j.ID == e.Job })]
					m, err := push.DecodeMessage([]byte(task.chunk.Messages[e.Message]))
					if err != nil || m.Body != j.Message.Body || e.AtMostOnce != (j.Delivery == push.AtMostOnce) {
						t.Errorf("job %s has the entry %+v and another's message", j.ID, e)
					}
					if !j.ExpiresAt.IsZero() && e.Expires != j.ExpiresAt.UnixMilli() || task.header.Expires*1000 < e.Expires {
						t.Errorf("job %s expires at %d, its task at %d", j.ID, e.Expires, task.header.Expires)
					}
				}
			}
		})
	}
}

func TestEveryJobOfManyHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb)
	if _, err := c.Enqueue(t.Context(), to(job("known"), "three", "t")); err != nil {
		t.Fatal(err)
	}
	wrong := to(job("wrong"), "three", "t")
	wrong.App = "shoop"
	out := c.EnqueueMany(t.Context(), []push.Job{
		to(job("first"), "three", "t"),
		wrong,
		to(job("known"), "three", "t"),
		to(job("large"), "five", tokens("t", 1200)...),
		to(job("partly"), "three", "t", "secret token"),
		to(job("first"), "three", "t"),
		to(job("no token"), "three", "secret token"),
		to(job("last"), "three", "t"),
	})
	var got []string
	for _, o := range out {
		got = append(got, fmt.Sprintf("%s %d %d %v", o.Result.Job, o.Result.Accepted, len(o.Result.Refused), o.Err))
	}
	want := []string{
		"first 1 0 <nil>",
		`wrong 0 0 app: "shoop" is not configured; configured are empty, mini, shop`,
		"known 0 0 job known: duplicate job id",
		"large 1200 0 <nil>",
		"partly 1 1 <nil>",
		"first 0 0 job first: duplicate job id",
		"no token 0 0 id: may hold printable characters only, no white space and no { or }",
		"last 1 0 <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b := open(t, rdb)
	if len(b.accepted) != 5 {
		t.Errorf("%d ledgers, want known, first, large, partly and last", len(b.accepted))
	}
}

func TestManyDuplicatesLeaveTheOthersTogether(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb, big)
	jobs := ones(2500)
	c.EnqueueMany(t.Context(), jobs[1000:1500])
	for i, o := range c.EnqueueMany(t.Context(), jobs) {
		if known := i >= 1000 && i < 1500; errors.Is(o.Err, push.ErrDuplicate) != known || !known && o.Err != nil {
			t.Fatalf("job %d: %v, want a duplicate: %v", i, o.Err, known)
		}
	}
	if b := open(t, rdb); len(b.accepted) != 2500 || len(b.tasks) != 4 {
		t.Errorf("%d ledgers and %d tasks, want 2500 in 1 + 1 + 1 + 1 chunks", len(b.accepted), len(b.tasks))
	}
}

func TestNoJobsAtAll(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	if out := newClient(t, rdb).EnqueueMany(t.Context(), nil); len(out) != 0 {
		t.Errorf("got %+v", out)
	}
	wantEmpty(t, rdb)
}
