package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// inbox is a stream with a worker that reads it.
type inbox struct {
	*testing.T
	rdb    *redis.Client
	client intake.Enqueuer
	counts counts
}

type counts struct {
	mu                sync.Mutex
	enqueued, refused int
}

func (c *counts) Intake(enqueued, refused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueued += enqueued
	c.refused += refused
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{T: t, rdb: redistest.Client(t)}
	c, err := push.NewClient(in.rdb, push.Options{
		Vendors: []push.Vendor{{Name: "huawei", Batch: 1000}}, Apps: map[string]push.App{"shop": {"huawei": {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	in.client = c
	return in
}

func (in *inbox) must(err error) {
	in.Helper()
	if err != nil {
		in.Fatal(err)
	}
}

// run reads the stream until the test ends.
func (in *inbox) run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(in.Context()))
	s := &intake.Stream{Redis: in.rdb, Meter: &in.counts, Log: zerolog.Nop(), Client: func() intake.Enqueuer { return in.client }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	in.Cleanup(func() {
		cancel()
		<-done
		if n := len(in.rdb.XInfoConsumers(context.WithoutCancel(in.Context()), wire.IntakeStream, "workers").Val()); n > 0 {
			in.Errorf("%d consumers are left", n)
		}
	})
}

// add adds an entry and returns its id.
func (in *inbox) add(values ...any) string {
	in.Helper()
	id, err := in.rdb.XAdd(in.Context(), &redis.XAddArgs{Stream: wire.IntakeStream, Values: values}).Result()
	in.must(err)
	return id
}

func jobText(id string, tokens ...string) string {
	return fmt.Sprintf(`{"id":%q,"app":"shop","message":{"title":"Hi","body":"there"},"targets":{"huawei":["%s"]}}`, id, strings.Join(tokens, `","`))
}

// counted waits until the meter was told of so many jobs.
func (in *inbox) counted(enqueued, refused int) {
	in.Helper()
	in.await(fmt.Sprintf("%d jobs counted as enqueued and %d as refused", enqueued, refused), func() bool {
		in.counts.mu.Lock()
		defer in.counts.mu.Unlock()
		return in.counts.enqueued == enqueued && in.counts.refused == refused
	})
}

// empty waits until the stream is.
func (in *inbox) empty() {
	in.Helper()
	in.await("an empty stream", func() bool { return in.rdb.XLen(in.Context(), wire.IntakeStream).Val() == 0 })
}

func (in *inbox) await(what string, ok func() bool) {
	in.Helper()
	ctx, cancel := context.WithTimeout(in.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-ctx.Done():
			in.Fatalf("not within 20 s: %s", what)
		}
	}
}

// refusals are the answers, as "job: reason".
func (in *inbox) refusals() []string {
	in.Helper()
	var all []string
	for _, m := range in.rdb.XRange(in.Context(), wire.RefusedStream, "-", "+").Val() {
		all = append(all, fmt.Sprintf("%s %s: %s", m.Values["id"], m.Values["job"], m.Values["reason"]))
	}
	return all
}

func (in *inbox) exists(id string) bool {
	in.Helper()
	return in.rdb.Exists(in.Context(), wire.JobKey(id)).Val() == 1
}

func TestWhatIsNotTextIsRefusedAndNoTokenIsKept(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	token := "IQAAAACy0ZxVAADqRGJ2cGZ6ZmVkZmQ="
	var want []string
	for _, c := range []struct{ job, reason string }{
		{"{\"id\":\"gbk\",\"app\":\"shop\",\"message\":{\"title\":\"\xb7\xa2\xbb\xf5\"}}", "message.title: is not UTF-8, it looks like GBK: write UTF-8"},
		{"\xff\xfe{\x00}\x00", "is UTF-16: save it as UTF-8"},
		{`{"id":"half","message":{"body":"\ud83d"}}`,
			`message.body: holds \ud83d, half of a surrogate pair, without the other half: write both, like \ud83d\ude00, or the character itself`},
		{`{"id":"swapped","app":"shop","message":{"title":"t","body":"b"},"targets":{"` + token + `":["huawei"]}}`,
			`targets.IQAA…Q=: is not a vendor, and its token is "huawei": are they swapped? The vendor comes first`},
		{`{"id":"field","` + token + `":1}`, "IQAA…Q= (32 characters): is not a field: see docs/job.md for those that are"},
		{`{"id":"app","app":"` + token + `"}`, "app: is not an app's name: letters, digits, dots, dashes and underscores, beginning with a letter or digit, at most 64; …"},
	} {
		id := in.add("job", c.job)
		_, name, _ := strings.Cut(c.job, `"id":"`)
		name, _, _ = strings.Cut(name, `"`)
		want = append(want, fmt.Sprintf("%s %s: %s", id, name, c.reason))
	}
	in.run()
	in.counted(0, len(want))
	for i, got := range in.refusals() {
		if head, open := strings.CutSuffix(want[i], "…"); got != want[i] && (!open || !strings.HasPrefix(got, head)) {
			t.Errorf("got\n%s, want\n%s", got, want[i])
		}
		if strings.Contains(got, token) {
			t.Errorf("the token is kept: %s", got)
		}
	}
}

func TestAByteOrderMarkIsAccepted(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	in.add("job", "\ufeff"+jobText("marked", "t1"))
	in.run()
	in.counted(1, 0)
}

func TestJobsOfTheStreamAreEnqueued(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	in.add("job", jobText("before", "t1"))
	in.run()
	without := in.add("job", strings.Replace(jobText("", "t2"), `"id":"",`, "", 1))
	for i := range 1200 {
		in.add("job", jobText(fmt.Sprint("many-", i), "t3", "t4"))
	}
	in.empty()
	for _, id := range []string{"before", "intake-" + without, "many-0", "many-1199"} {
		if !in.exists(id) {
			t.Errorf("job %s has no ledger", id)
		}
	}
	if got := in.refusals(); len(got) > 0 {
		t.Errorf("refused: %q", got)
	}
	in.counted(1202, 0)
}

func TestARefusedJobIsAnswered(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	in.add("job", jobText("known", "t1"))
	in.run()
	in.empty()
	for _, c := range []struct{ name, field, text, id, reason string }{
		{"no field", "json", jobText("a", "t1"), "", `the entry has no field "job": write XADD`},
		{"no JSON", "job", `{"id":"a"`, "", "breaks off"},
		{"an unknown field", "job", `{"id":"b","nonsense":1}`, "b", "nonsense"},
		{"an unknown vendor", "job", strings.Replace(jobText("c", "t1"), "huawei", "nokia", 1), "c", "targets.nokia"},
		{"an unknown app", "job", strings.Replace(jobText("d", "t1"), "shop", "bank", 1), "d", "app"},
		{"a duplicate", "job", jobText("known", "t1"), "known", "known"},
	} {
		id := in.add(c.field, c.text)
		in.empty()
		all := in.refusals()
		if len(all) == 0 {
			t.Fatalf("%s: nothing is refused", c.name)
		}
		if got, want := all[len(all)-1], id+" "+c.id+": "; !strings.HasPrefix(got, want) || !strings.Contains(got, c.reason) {
			t.Errorf("%s: answered %q, want it to begin with %q and to say %q", c.name, got, want, c.reason)
		}
	}
	in.counted(1, 6)
}

// The rest of a job goes on; each token that does not is answered, without it.
func TestASingleTokenThatIsRefusedIsAnswered(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	tokens := []string{"good-1", "two words", "good-2", ""}
	for i := range 1200 {
		tokens = append(tokens, fmt.Sprint("many;", i))
	}
	id := in.add("job", jobText("part", tokens...))
	in.run()
	in.counted(1, 0)
	in.empty()
	if accepted := in.rdb.HGet(t.Context(), wire.JobKey("part"), "accepted").Val(); accepted != "2" {
		t.Errorf("%s tokens were accepted, want 2", accepted)
	}
	all := in.rdb.XRange(t.Context(), wire.RefusedStream, "-", "+").Val()
	if len(all) != 1202 {
		t.Fatalf("%d answers, want 1202", len(all))
	}
	next := []string{"2", "4", "5"}
	for i, m := range all {
		position := strconv.Itoa(i + 3)
		if i < len(next) {
			position = next[i]
		}
		v := m.Values
		if len(v) != 5 || v["id"] != id || v["job"] != "part" || v["vendor"] != "huawei" || v["position"] != position || v["reason"] == "" {
			t.Fatalf("answer %d is %v, want one of position %s", i+1, v, position)
		}
		if text := fmt.Sprint(v); strings.Contains(text, "words") || strings.Contains(text, "many") {
			t.Fatalf("an answer holds a token: %s", text)
		}
	}
}

// A worker that died may have enqueued the job, or not.
func TestEntriesOfADeadWorkerAreTakenOver(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	ctx := t.Context()
	in.must(in.rdb.XGroupCreateMkStream(ctx, wire.IntakeStream, "workers", "0").Err())
	for _, id := range []string{"done", "not-done"} {
		in.add("job", jobText(id, "t1"))
	}
	j, err := push.DecodeJob([]byte(jobText("done", "t1")))
	in.must(err)
	in.must(in.client.EnqueueMany(ctx, []push.Job{j})[0].Err)
	in.must(in.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{Streams: []string{wire.IntakeStream, ">"}, Group: "workers", Consumer: "dead"}).Err())
	for _, m := range in.rdb.XRange(ctx, wire.IntakeStream, "-", "+").Val() {
		in.must(in.rdb.Do(ctx, "XCLAIM", wire.IntakeStream, "workers", "dead", 0, m.ID, "IDLE", 60_000).Err())
	}
	in.must(in.rdb.XGroupCreateConsumer(ctx, wire.IntakeStream, "workers", "dead").Err())
	in.run()
	in.empty()
	in.must(in.rdb.XGroupDelConsumer(ctx, wire.IntakeStream, "workers", "dead").Err())
	if got := in.refusals(); len(got) > 0 {
		t.Errorf("refused: %q", got)
	}
	if !in.exists("done") || !in.exists("not-done") {
		t.Error("a job is missing")
	}
}

// deaf enqueues, and says a few times that Redis did not answer.
type deaf struct {
	intake.Enqueuer
	times int
}

func (d *deaf) EnqueueMany(ctx context.Context, jobs []push.Job) []push.Outcome {
	all := d.Enqueuer.EnqueueMany(ctx, jobs)
	if d.times > 0 {
		d.times--
		for i := range all {
			all[i].Err = errors.New("i/o timeout")
		}
	}
	return all
}

func TestAJobWhoseAnswerWasLostIsNoDuplicate(t *testing.T) {
	t.Parallel()
	in := newInbox(t)
	in.client = &deaf{in.client, 3}
	in.add("job", jobText("a", "t1"))
	in.add("job", jobText("b", "t1", "t2"))
	in.run()
	in.empty()
	if got := in.refusals(); len(got) > 0 || !in.exists("a") || !in.exists("b") {
		t.Errorf("refused: %q; a exists: %v, b: %v", got, in.exists("a"), in.exists("b"))
	}
	in.counted(2, 0)
}
