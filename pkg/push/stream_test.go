package push_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// begin opens a stream and adds the job's targets to it, one by one.
func begin(tb rapid.TB, c *push.Client, j push.Job) (*push.Stream, error) {
	tb.Helper()
	targets := j.Targets
	j.Targets = nil
	s, err := c.Open(j)
	if err != nil {
		return nil, err
	}
	position := 0
	for _, vendor := range slices.Sorted(maps.Keys(targets)) {
		for _, token := range targets[vendor] {
			position++
			if err := s.Add(context.Background(), position, vendor, []byte(token)); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// streamAll sends a job through a stream, to its end.
func streamAll(tb rapid.TB, c *push.Client, j push.Job) error {
	tb.Helper()
	s, err := begin(tb, c, j)
	if err == nil {
		_, err = s.Commit(context.Background())
	}
	return err
}

// wantJob demands that the job's tokens are in its chunks in the order of
// the input, each once.
func (b *books) wantJob(tb rapid.TB, j push.Job) {
	tb.Helper()
	for vendor, all := range j.Targets {
		var want []string
		seen := map[string]bool{}
		for _, t := range all {
			if !seen[t] {
				want = append(want, t)
			}
			seen[t] = true
		}
		b.wantTokens(tb, j.ID, vendor, want)
	}
}

func TestAStreamsChunksAreFullAndInOrder(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	c := newClient(t, rdb)
	j := to(to(job("j"), "three", tokens("t", 100)...), "five", tokens("f", 11)...)
	s, err := begin(t, c, j)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(t, rdb) {
		if strings.HasPrefix(key, "asynq:") {
			t.Errorf("before Commit there is %s", key)
		}
	}
	got, err := s.Commit(t.Context())
	if err != nil || got.Accepted != 111 || got.Chunks != 34+3 || got.Job != "j" || s.ID() != "j" {
		t.Errorf("got %+v, %v", got, err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
	sizes := map[int]int{}
	for _, task := range b.tasks {
		sizes[task.header.Tokens]++
		if want := fmt.Sprintf("j.%d-", number(task)); !strings.HasPrefix(task.id, want) {
			t.Errorf("a task's id is %s, want %s…", task.id, want)
		}
		if task.header.Job != "j" || task.header.Message == "" || task.chunk.Entries[0].Message != -1 {
			t.Errorf("a task has the header %+v and %d messages of its own", task.header, len(task.chunk.Messages))
		}
	}
	if want := map[int]int{3: 33, 5: 2, 1: 2}; !maps.Equal(sizes, want) {
		t.Errorf("chunks by size are %v, want %v", sizes, want)
	}
	wantLedger(t, rdb, "j", 111)
}

// wantLedger demands that nothing of the staging is left in the ledger.
func wantLedger(t *testing.T, rdb *redis.Client, id string, accepted int) {
	t.Helper()
	want := map[string]string{
		"state": "running", "app": "shop", "accepted": fmt.Sprint(accepted), "created": fmt.Sprint(noon.Unix()), "keep": "86400",
		"priority": "normal",
	}
	have := rdb.HGetAll(t.Context(), wire.JobKey(id)).Val()
	delete(have, wire.FieldOwner) // random
	if !maps.Equal(have, want) {
		t.Errorf("the ledger is %v, want %v", have, want)
	}
	if rdb.Exists(t.Context(), wire.StagedKey(id)).Val() != 0 {
		t.Error("the list of staged chunks is still there")
	}
	if _, err := push.DecodeMessage([]byte(rdb.Get(t.Context(), wire.MessageKey(id)).Val())); err != nil {
		t.Errorf("the message reads as %v", err)
	}
}

func TestLargeJobsConcatenateToTheirInput(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	rapid.Check(t, func(rt *rapid.T) {
		rdb.FlushDB(t.Context())
		c := newClient(t, rdb) // a client tells asynq of a lane only once
		j := job("j")
		j.Targets = map[string][]string{}
		for _, vendor := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"three", "five"}), 1, 2, rapid.ID).Draw(rt, "vendors") {
			j.Targets[vendor] = rapid.SliceOfN(rapid.StringMatching("[a-z0-9é]{1,3}"), 1, 120).Draw(rt, vendor)
		}
		if rapid.IntRange(0, 4).Draw(rt, "by Enqueue") == 4 { // over the bound of what is enqueued in one step
			j.Targets["three"] = append(j.Targets["three"], tokens("more", 1001)...)
			if _, err := c.Enqueue(t.Context(), j); err != nil {
				rt.Fatal(err)
			}
		} else if err := streamAll(rt, c, j); err != nil {
			rt.Fatal(err)
		}
		b := open(rt, rdb)
		b.wantJob(rt, j)
		for _, task := range b.tasks {
			if limit := map[string]int{"three:normal": 3, "five:normal": 5}[task.lane]; task.header.Tokens > limit {
				rt.Errorf("a chunk of %s has %d tokens", task.lane, task.header.Tokens)
			}
		}
	})
}

func TestAStreamReportsRefusedTokensByPosition(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s, err := newClient(t, rdb).Open(job("j"))
	if err != nil {
		t.Fatal(err)
	}
	for i, target := range []struct{ vendor, token string }{
		{"three", "a"}, {"five", "secret token"}, {"three", "a"}, {"three", ""}, {"five", "b"},
	} {
		if err := s.Add(t.Context(), 10*(i+1), target.vendor, []byte(target.token)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Commit(t.Context())
	want := []push.Refusal{{Position: 20, Vendor: "five", Reason: "holds white space"}, {Position: 40, Vendor: "three", Reason: "is empty"}}
	if err != nil || got.Accepted != 2 || !slices.Equal(got.Refused, want) {
		t.Errorf("got %+v, %v, want 2 accepted and %+v refused", got, err, want)
	}
	b := open(t, rdb)
	b.wantTokens(t, "j", "three", []string{"a"})
	b.wantTokens(t, "j", "five", []string{"b"})
}

func TestAStreamKeepsNothingOfTheCallersToken(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s, err := newClient(t, rdb).Open(job("j"))
	if err != nil {
		t.Fatal(err)
	}
	token := []byte("t0")
	for ; token[1] < '9'; token[1]++ {
		if err := s.Add(t.Context(), 1, "three", token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := open(t, rdb)
	b.wantTokens(t, "j", "three", tokens("t", 9))
}

func TestAStreamWithoutATokenIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		token []string
		want  string
	}{
		{"none given", nil, "targets: no token can be sent to: none is given"},
		{"none accepted", []string{""}, "targets: no token can be sent to: number 1 for three is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			err := streamAll(t, newClient(t, rdb), to(job("j"), "three", c.token...))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			wantEmpty(t, rdb)
		})
	}
}

func TestAVendorThatTheJobCannotHaveRefusesItWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, vendor, token, want string }{
		{"an unknown one", "thre", "t", "targets.thre: is not a vendor: did you mean three?"},
		{"an unknown one with a token that is refused", "thre", "", "targets.thre: is not a vendor: did you mean three?"},
		{"one whose limit the message breaks", "five", "t", "message.title: is longer than five allows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(job("j"), "three", tokens("t", 50)...)
			j.Message.Title = strings.Repeat("x", 21)
			s, err := begin(t, newClient(t, rdb), j)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Add(t.Context(), 51, c.vendor, []byte(c.token))
			var invalid *push.InvalidError
			if !errors.As(err, &invalid) || err.Error() != c.want || invalid.Job != "j" {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if rdb.DBSize(t.Context()).Val() == 0 || !s.Unsealed() {
				t.Fatal("nothing was staged: the test proves nothing")
			}
			if err := s.Abort(t.Context()); err != nil {
				t.Error(err)
			}
			wantEmpty(t, rdb)
		})
	}
}

func TestOpenRefusesTargets(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, redistest.Client(t)).Open(to(job("j"), "three", "t"))
	if err == nil || err.Error() != "targets: must be empty: they follow one by one" {
		t.Errorf("got %v", err)
	}
}

func TestAbortTakesEverythingBack(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 31, 32, 33, 500} {
		t.Run(fmt.Sprintf("after %d tokens", n), func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			c := newClient(t, rdb)
			j := to(job("j"), "three", tokens("t", n)...)
			s, err := begin(t, c, j)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Abort(t.Context()); err != nil {
				t.Error(err)
			}
			wantEmpty(t, rdb)
			j = to(job("j"), "three", tokens("other", 30)...)
			if err := streamAll(t, c, j); err != nil {
				t.Errorf("the id is not free again: %v", err)
			}
			b := open(t, rdb)
			b.wantJob(t, j)
		})
	}
}

func TestAbortDoesNotChangeACommittedJob(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(job("j"), "three", tokens("t", 50)...)
	s, err := begin(t, newClient(t, rdb), j)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context()); err != nil || s.Unsealed() {
		t.Fatalf("committed: %v, unsealed %v", err, s.Unsealed())
	}
	if err := s.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
}

func TestScriptsLostInTheMiddleAreLoadedAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client(t) // the shared one's scripts are others' too
	c := newClient(t, rdb)
	j := to(job("j"), "three", tokens("t", 500)...)
	s, err := c.Open(job("j"))
	if err != nil {
		t.Fatal(err)
	}
	for i, token := range j.Targets["three"] {
		if i%100 == 50 {
			rdb.ScriptFlush(t.Context())
		}
		if err := s.Add(t.Context(), i+1, "three", []byte(token)); err != nil {
			t.Fatal(err)
		}
	}
	rdb.ScriptFlush(t.Context())
	if _, err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	rdb.ScriptFlush(t.Context())
	if _, err := c.Enqueue(t.Context(), to(job("small"), "three", "t")); err != nil {
		t.Error(err)
	}
	b := open(t, rdb)
	b.wantJob(t, j)
}

func TestAJobThatIsDoneBeforeItsCommitEndsThere(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	j := to(job("j"), "three", tokens("t", 60)...)
	s, err := begin(t, newClient(t, rdb), j)
	if err != nil {
		t.Fatal(err)
	}
	// Workers are faster than the commit: every chunk that was stored, and
	// the last that Commit adds, has been delivered by then.
	rdb.HSet(t.Context(), wire.JobKey("j"), string(wire.Delivered), 60)
	if _, err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	ledger := rdb.HGetAll(t.Context(), wire.JobKey("j")).Val()
	if ledger["state"] != wire.Done || ledger["ended"] != fmt.Sprint(noon.Unix()) {
		t.Errorf("the ledger is %v, want it done", ledger)
	}
	if rdb.Exists(t.Context(), wire.MessageKey("j")).Val() != 0 {
		t.Error("the message is still there")
	}
	if life := rdb.TTL(t.Context(), wire.JobKey("j")).Val(); life < 6*24*time.Hour || life > 8*24*time.Hour {
		t.Errorf("the ledger stays %v, want a week", life)
	}
}
