package push_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// vendors are three and five, which are named after their batch limits.
func vendors() []push.Vendor {
	short := func(m *push.Message) []push.Fault {
		if len(m.Title) > 20 {
			return []push.Fault{{Field: "message.title", Reason: "is longer than five allows"}}
		}
		return nil
	}
	return []push.Vendor{{Name: "three", Batch: 3}, {Name: "five", Batch: 5, Check: short}}
}

// apps: "shop" has both vendors, "mini" sends at most two tokens at once, and never twice.
func apps() map[string]push.App {
	return map[string]push.App{
		"shop":  {"three": {}, "five": {}},
		"mini":  {"three": {Batch: 2, Delivery: push.AtMostOnce}},
		"empty": nil,
	}
}

// noon is when the tests take place, unless they turn the clock.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newClient(tb testing.TB, rdb redis.UniversalClient, change ...func(*push.Options)) *push.Client {
	tb.Helper()
	o := push.Options{Vendors: vendors(), Apps: apps(), Now: func() time.Time { return noon }}
	for _, f := range change {
		f(&o)
	}
	c, err := push.NewClient(rdb, o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// job is a right one; with no targets yet.
func job(id string) push.Job {
	return push.Job{ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "On its way"}}
}

func to(j push.Job, vendor string, tokens ...string) push.Job {
	targets := map[string][]string{vendor: tokens}
	for v, have := range j.Targets {
		targets[v] = append(have, targets[v]...)
	}
	j.Targets = targets
	return j
}

// tokens makes n different ones.
func tokens(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}

// task is one that asynq would run, with its chunk.
type task struct {
	id, lane string
	due      int64 // 0: now
	place    int64 // among those that are due now: the higher, the earlier it runs
	header   wire.Header
	chunk    *wire.Chunk
}

// books is all that lies in Redis, as a worker and an operator find it.
type books struct {
	tasks    []task // in the order of their chunks, or as they will run
	accepted map[string]int
	// tokens has what will be sent, by job and vendor, in the order of the chunks.
	tokens map[string]map[string][]string
}

// open reads Redis and demands the law: every ledger says as many accepted
// tokens as are in the chunks that tasks lead to; no token twice in a job, no
// chunk twice or without a task, no task that is not in exactly one queue.
func open(tb rapid.TB, rdb redis.UniversalClient) books {
	tb.Helper()
	have := read(tb, rdb)
	b := books{accepted: map[string]int{}, tokens: map[string]map[string][]string{}}
	chunks := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(have.life)) {
		switch {
		case strings.HasPrefix(key, "postrider:job:"):
			id := strings.TrimSuffix(strings.TrimPrefix(key, "postrider:job:{"), "}")
			b.accepted[id] = have.accepted(tb, key)
		case strings.HasPrefix(key, "postrider:chunk:"):
			chunks[key] = false
		case strings.Contains(key, ":t:"):
			b.tasks = append(b.tasks, have.task(tb, key))
		}
		// The members of the two sets go with their work.
		set := strings.HasPrefix(key, "postrider:open:") || key == wire.StagingKey || key == wire.JobsKey
		if strings.HasPrefix(key, "postrider:") && !set && have.life[key] <= 0 {
			tb.Errorf("%s stays for ever", key)
		}
	}
	slices.SortFunc(b.tasks, func(x, y task) int { return cmp.Or(cmp.Compare(number(x), number(y)), cmp.Compare(y.place, x.place)) })
	for _, t := range b.tasks {
		key := wire.ChunkKey(t.header.Chunk)
		if met, there := chunks[key]; met || !there {
			tb.Errorf("task %s leads to chunk %s: there %v, met before %v", t.id, key, there, met)
		}
		chunks[key] = true
		b.count(tb, t)
	}
	for key, met := range chunks {
		if !met {
			tb.Errorf("no task leads to %s", key)
		}
	}
	b.balance(tb)
	return b
}

// count adds a task's tokens.
func (b *books) count(tb rapid.TB, t task) {
	tb.Helper()
	vendor, _ := wire.SplitLane(t.lane)
	n := 0
	for _, e := range t.chunk.Entries {
		n += len(e.Tokens)
		if b.tokens[e.Job] == nil {
			b.tokens[e.Job] = map[string][]string{}
		}
		b.tokens[e.Job][vendor] = append(b.tokens[e.Job][vendor], e.Tokens...)
	}
	if n != t.header.Tokens {
		tb.Errorf("task %s says %d tokens, its chunk has %d", t.id, t.header.Tokens, n)
	}
}

func (b *books) balance(tb rapid.TB) {
	tb.Helper()
	for id, byVendor := range b.tokens {
		n := 0
		for vendor, all := range byVendor {
			n += len(all)
			if distinct := slices.Compact(slices.Sorted(slices.Values(all))); len(distinct) != len(all) {
				tb.Errorf("job %s has %d tokens of %s, %d different ones", id, len(all), vendor, len(distinct))
			}
		}
		if b.accepted[id] != n {
			tb.Errorf("job %s accepted %d tokens, its chunks have %d", id, b.accepted[id], n)
		}
	}
	for id, n := range b.accepted {
		if b.tokens[id] == nil {
			tb.Errorf("job %s accepted %d tokens, and no task leads to one", id, n)
		}
	}
}

// number is the chunk's in a large job, or 0.
func number(t task) int {
	n, _ := strconv.Atoi(t.header.Chunk[strings.LastIndex(t.header.Chunk, ":")+1:])
	return n
}

// accepted reads a ledger in either form.
func (d *dump) accepted(tb rapid.TB, key string) int {
	tb.Helper()
	if s, single := d.text[key]; single {
		if l, err := wire.DecodeSingle(s); err != nil || l.Outcome != wire.Pending {
			tb.Errorf("%s reads as %+v, %v", key, l, err)
		}
		return 1
	}
	n, err := strconv.Atoi(d.hash[key][wire.FieldAccepted])
	if err != nil {
		tb.Errorf("%s: %v", key, err)
	}
	return n
}

// task reads a task as asynq has it.
func (d *dump) task(tb rapid.TB, key string) task {
	tb.Helper()
	fields := decodeFields(tb, d.hash[key]["msg"])
	t := task{id: fields[3], lane: fields[4]}
	if key != wire.TaskKey(t.lane, t.id) || fields[1] != wire.TaskType {
		tb.Errorf("task %s holds the message %q", key, fields)
	}
	places, scores := d.places[wire.PendingKey(t.lane)][t.id], d.places[wire.ScheduledKey(t.lane)][t.id]
	switch state := d.hash[key]["state"]; {
	case len(places) == 1 && len(scores) == 0 && state == "pending":
		t.place = places[0]
	case len(places) == 0 && len(scores) == 1 && state == "scheduled":
		t.due = scores[0]
	default:
		tb.Errorf("task %s is %s and is at %v of pending and %v of scheduled", key, state, places, scores)
	}
	if d.places[wire.AsynqQueues][t.lane] == nil {
		tb.Errorf("asynq does not know the queue %s", t.lane)
	}
	var err error
	if t.header, err = wire.DecodeHeader([]byte(fields[2])); err != nil {
		tb.Fatal(err)
	}
	if t.chunk, err = wire.DecodeChunk(d.text[wire.ChunkKey(t.header.Chunk)]); err != nil {
		tb.Fatalf("task %s: %v", key, err)
	}
	return t
}

// decodeFields reads the texts of a protobuf message by their numbers.
func decodeFields(tb rapid.TB, msg string) map[protowire.Number]string {
	tb.Helper()
	fields := map[protowire.Number]string{}
	for b := []byte(msg); len(b) > 0; {
		field, kind, n := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(field, kind, b[max(n, 0):])
		if n < 0 || size < 0 {
			tb.Fatalf("%q is no protobuf message", msg)
		}
		if kind == protowire.BytesType {
			fields[field], _ = protowire.ConsumeString(b[n:])
		}
		b = b[n+size:]
	}
	return fields
}

// wantTokens demands that the job will be sent to exactly these.
func (b *books) wantTokens(tb rapid.TB, job, vendor string, want []string) {
	tb.Helper()
	if got := b.tokens[job][vendor]; !slices.Equal(got, want) {
		tb.Errorf("job %s goes to %s, want %s", job, shorten(got), shorten(want))
	}
}

func shorten(tokens []string) string {
	if len(tokens) > 20 {
		return fmt.Sprintf("%d tokens beginning with %q", len(tokens), tokens[:20])
	}
	return fmt.Sprintf("%q", tokens)
}
