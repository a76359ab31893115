package dispatch_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// keys are those that the vendor was sent each token under, in order.
func (v *vendor) keys() map[string][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := map[string][]string{}
	for _, r := range v.requests {
		for _, t := range r.Tokens {
			all[t] = append(all[t], r.Key)
		}
	}
	return all
}

// wantKeys checks that a token was sent n times, each time under one key, and
// returns the keys.
func (r *rig) wantKeys(token string, n int) []string {
	r.Helper()
	keys := r.vendor.keys()[token]
	if len(keys) != n || len(slices.Compact(slices.Sorted(slices.Values(keys)))) != n {
		r.Fatalf("%s was sent under the keys %q, want %d different ones", token, keys, n)
	}
	return keys
}

// wantOneKey checks that a token was sent n times under the same key.
func (r *rig) wantOneKey(token string, n int) string {
	r.Helper()
	keys := r.vendor.keys()[token]
	if len(keys) != n || len(slices.Compact(slices.Clone(keys))) != 1 {
		r.Fatalf("%s was sent under the keys %q, want %d times the same", token, keys, n)
	}
	return keys[0]
}

// streamed enqueues a job by a stream.
func (r *rig) streamed(id string, tokens ...string) []task {
	r.Helper()
	j := job(id)
	j.Targets = nil
	s, err := r.client.Open(j)
	r.must(err)
	for i, token := range tokens {
		r.must(s.Add(r.Context(), i+1, "nova", []byte(token)))
	}
	_, err = s.Commit(r.Context())
	r.must(err)
	return r.tasks()
}

// Vendors drop a message whose key they know: the second of two jobs would be
// counted as delivered and never reach the phone.
func TestTwoJobsWithTheSameWordsToOnePhoneHaveTwoKeys(t *testing.T) {
	t.Parallel()
	for name, enqueue := range map[string]func(*rig) []task{
		"small, one after the other": func(r *rig) []task {
			return append(r.separate(job("a", "t1")), r.separate(job("b", "t1"))...)
		},
		"packed in one chunk": func(r *rig) []task { return r.packed(job("a", "t1"), job("b", "t1")) },
		"packed with others":  func(r *rig) []task { return r.packed(job("a", "t1", "t2"), job("b", "t1", "t3"), job("c", "t4")) },
		"streamed":            func(r *rig) []task { return append(r.streamed("a", "t1"), r.streamed("b", "t1")...) },
		"small and streamed":  func(r *rig) []task { return append(r.separate(job("a", "t1")), r.streamed("b", "t1")...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.finish(enqueue(r)...)
			r.wantKeys("t1", 2)
		})
	}
}

func TestJoinedJobsWithTheSameWordsToOnePhoneHaveTwoKeys(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		var ends []<-chan error
		for _, e := range []wire.Entry{entry("a", "t1"), entry("b", "t2"), entry("c", "t1"), entry("d", "t3")} {
			ends = append(ends, b.start(b.Context(), b.chunk(push.Normal, e)))
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				b.Error(err)
			}
		}
		if keys := b.vendor.keys(); len(b.vendor.sizes()) != 2 || len(keys["t1"]) != 2 || keys["t1"][0] == keys["t1"][1] {
			b.Errorf("the keys are %q, want two requests with two keys", keys)
		}
	})
}

// However a request ends, the next one of its tokens has the same key, and no
// token in it was sent under another.
func TestEachTryOfATokenHasOneKey(t *testing.T) {
	t.Parallel()
	for name, enqueue := range map[string]func(*rig) []task{
		"separate": func(r *rig) []task { return r.separate(job("a", "t1")) },
		"packed":   func(r *rig) []task { return r.packed(job("a", "t1"), job("b", "t2"), job("c", "t3")) },
		"streamed": func(r *rig) []task { return r.streamed("a", "t1", "t2") },
		"packed and cut by the limit": func(r *rig) []task {
			r.acct.Batch = 2
			return r.packed(job("a", "t1"), job("b", "t2"), job("c", "t3"), job("d", "t4"), job("e", "t5"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tasks := enqueue(r)
			timeout := fail(classify.Transport, classify.Timeout)
			r.vendor.replies = []reply{timeout, timeout, timeout}
			r.again(tasks[0])
			first := r.vendor.keys()
			r.must(r.d.Fence(t.Context(), tasks[0].Task, ours)) // as a reaper does
			r.vendor.replies = nil
			r.finish(append(tasks, r.separate(job("later", "t9"))...)...)
			for token := range first {
				if key := r.wantOneKey(token, 2); key == r.vendor.keys()["t9"][0] {
					t.Errorf("%s shares its key with a later job", token)
				}
			}
		})
	}
}

// Tokens of several jobs that share a request have a key that was drawn at random.
// It is in Redis before the vendor sees it: the worker may die during the request.
func TestADrawnKeyIsRecordedBeforeItsRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.vendor.replies = []reply{func(q *vendors.Request) (vendors.Answer, error) {
			for ref, c := range b.memory.open() {
				if c.Gen == 0 || !slices.Equal(c.Tail.Keys, []string{q.Key}) {
					t.Errorf("%s has generation %d and the keys %q, want %s", ref, c.Gen, c.Tail.Keys, q.Key)
				}
			}
			return say("busy")(q)
		}}
		tasks := []task{b.chunk(push.Normal, entry("a", "t1")), b.chunk(push.Normal, entry("b", "t2"))}
		ends := []<-chan error{b.start(b.Context(), tasks[0]), b.start(b.Context(), tasks[1])}
		for _, end := range ends {
			<-time.After(time.Until(mustAgain(b.T, <-end).At))
		}
		// They come back by themselves, and so does a job that was never sent.
		late := b.start(b.Context(), b.chunk(push.Normal, entry("c", "t3")))
		b.finish(tasks...)
		<-late
		keys := b.vendor.keys()
		want := keys["t1"][0]
		if got := b.vendor.sizes(); got[0] != 2 || !slices.Equal(keys["t1"], []string{want, want}) ||
			!slices.Equal(keys["t2"], []string{want, want}) || keys["t3"][0] == want {
			b.Errorf("requests have %v tokens and the keys %q", got, keys)
		}
	})
}

// A worker that is told to stop may end before an open request has its answer.
// Then the chunk says that its tokens may have been sent.
func TestAnOpenRequestIsNotedWhenTheWorkerStops(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.separate(job("a", "t1"))
	began, release := make(chan struct{}, 1), make(chan struct{})
	r.vendor.replies = []reply{answerWhen(began, release, say("ok"))}
	end := make(chan error, 1)
	go func() { end <- r.handle(tasks[0]) }()
	from(t, began, "the request")
	generation := func() uint32 {
		c, err := wire.DecodeChunk(r.rdb.Get(t.Context(), r.chunk()).Val())
		r.must(err)
		return c.Gen
	}
	if generation() != 0 {
		t.Error("a step was recorded before the request: that costs every message a write")
	}
	r.d.Drain()
	for deadline := time.Now().Add(20 * time.Second); generation() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing tells that the token may have been sent")
		}
	}
	close(release)
	if err := from(t, end, "the end"); err != nil {
		t.Error(err)
	}
	r.want("a", outcomes{wire.Delivered: 1})
}

// Jobs that were enqueued before version 2 are finished under the key that they had.
func TestAChunkOfVersionOneKeepsItsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.packed(job("a", "t1"), job("b", "t2"))
	chunk := r.chunk()
	r.must(r.rdb.SetRange(t.Context(), chunk, 1, "1").Err())
	r.vendor.replies = []reply{say("busy"), say("busy")}
	r.again(tasks[0])
	if raw := r.rdb.Get(t.Context(), chunk).Val(); raw[1] != '1' {
		t.Errorf("it is of version %c by now", raw[1])
	}
	if _, err := wire.DecodeChunk(r.rdb.Get(t.Context(), chunk).Val()); err != nil {
		t.Error(err)
	}
	r.again(tasks[0])
	r.vendor.replies = []reply{say("busy")}
	r.finish(tasks...) // the third attempt is the last
	h, err := wire.DecodeHeader(tasks[0].Payload)
	r.must(err)
	const epoch = 10 * time.Minute
	sum := sha256.Sum256([]byte(h.Message + strconv.FormatInt(r.clock.now().UnixMilli()/epoch.Milliseconds(), 10)))
	key := hex.EncodeToString(sum[:16])
	if a, b := r.wantOneKey("t1", 3), r.wantOneKey("t2", 3); a != key || b != key {
		t.Errorf("the keys are %s and %s, want %s, which version 1 gave them", a, b, key)
	}
	r.wantEntries(wire.DeadStream, []string{"job", "key"}, "a|"+key, "b|"+key)
}

// A dead letter that is replayed is the same logical message.
func TestAReplayHasTheKeyOfItsFirstTry(t *testing.T) {
	t.Parallel()
	for name, enqueue := range map[string]func(*rig) []task{
		"separate": func(r *rig) []task { return r.separate(job("a", "t1")) },
		"packed":   func(r *rig) []task { return r.packed(job("a", "t1"), job("b", "t2")) },
		"streamed": func(r *rig) []task { return r.streamed("a", "t1", "t2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.vendor.always = say("busy")
			r.finish(enqueue(r)...)
			r.vendor.always = nil
			sum, left, err := (&deadletter.Store{Redis: r.rdb, Now: r.clock.now}).Replay(t.Context(), wire.EntryFilter{}, time.Time{})
			r.must(err)
			if len(left) > 0 || sum.Tokens == 0 {
				t.Fatalf("replayed %+v, left %+v", sum, left)
			}
			r.finish(append(r.tasks(), r.separate(job("later", "t9"))...)...)
			r.wantOneKey("t1", 4) // three attempts and the replay
			r.want("a", outcomes{wire.Delivered: map[string]int{"separate": 1, "packed": 1, "streamed": 2}[name]})
		})
	}
}

// Receipts come under the request's key: each belongs to the job whose message it was.
func TestTwoJobsToOnePhoneHaveReceiptsOfTheirOwn(t *testing.T) {
	t.Parallel()
	tr := &tracer{}
	r := newRig(t, traced(tr, true))
	r.finish(r.packed(job("a", "t1", "t2"), job("b", "t1"))...)
	noted := map[string]string{} // tags to jobs of t1
	for _, s := range tr.sent {
		if s.Job != "" {
			noted[s.Tag] = s.Job
		} else if j := s.Tokens["t1"]; j != "" {
			noted[s.Tag] = j
		}
	}
	if jobs := slices.Sorted(maps.Values(noted)); strings.Join(jobs, " ") != "a b" {
		t.Errorf("receipts for t1 belong to %v, want a and b", noted)
	}
}
