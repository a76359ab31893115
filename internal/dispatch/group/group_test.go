package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// mixing is an adapter that takes different messages in one request.
type mixing struct{}

func (mixing) Send(context.Context, *vendors.Request) (vendors.Answer, error) {
	return vendors.Answer{}, nil
}

func (mixing) SendMixed(context.Context, []*vendors.Request) (vendors.Answer, error) {
	return vendors.Answer{}, nil
}

// shop is an account that takes up to limit tokens in a request, and up to mixed
// of different messages.
func shop(limit, mixed int) *account.Account {
	return &account.Account{App: "shop", Vendor: mixing{}, Batch: limit, Spec: vendors.Spec{Name: "nova", MaxMixed: mixed}}
}

// of is a batch of a chunk and job of the same name, whose message has the title
// that it also has as its digest.
func of(job, title string, tokens ...string) *Batch[string] {
	e := &wire.Entry{Job: job, Tokens: tokens, Expires: time.Now().Add(time.Hour).UnixMilli()}
	b := &Batch[string]{
		Key: Key{App: "shop", Vendor: "nova", Digest: title}, Message: &push.Message{Title: title}, Priority: push.Bulk,
		KeepUntil: time.Now().Add(time.Hour),
	}
	b.add(Whole("chunk of "+job, e, 0, tokens, 0))
	return b
}

// text is the requests' tokens, by batch.
func text(requests ...Batches[string]) string {
	var all []string
	for _, bs := range requests {
		var parts []string
		for _, b := range bs {
			parts = append(parts, b.Message.Title+":"+strings.Join(b.Tokens(), ","))
		}
		all = append(all, strings.Join(parts, " + "))
	}
	return strings.Join(all, " | ")
}

func TestSplitterCutsAChunkByMessageKeyAndLimit(t *testing.T) {
	t.Parallel()
	type added struct {
		message   int
		request   string
		exclusive bool
		tokens    string
	}
	for name, c := range map[string]struct {
		cap  int
		adds []added
		want string
	}{
		"one message within the limit":      {0, []added{{0, "k", false, "a b c"}}, "0:a,b,c"},
		"one message beyond the limit":      {0, []added{{0, "k", false, "a b c d e"}}, "0:a,b,c,d | 0:e"},
		"a cap below the limit":             {2, []added{{0, "k", false, "a b c"}}, "0:a,b | 0:c"},
		"entries with the same message":     {0, []added{{0, "", false, "a"}, {0, "", false, "b"}}, "0:a,b"},
		"two messages":                      {0, []added{{0, "", false, "a"}, {1, "", false, "b"}}, "0:a | 1:b"},
		"two keys":                          {0, []added{{0, "k", false, "a"}, {0, "l", false, "b"}}, "0:a | 0:b"},
		"a token that is there twice":       {0, []added{{0, "", false, "a b"}, {0, "", false, "b"}}, "0:a,b | 0:b"},
		"a job that has to go by itself":    {0, []added{{0, "", true, "a"}, {0, "", false, "b"}}, "0:a | 0:b"},
		"a batch that is filled up by more": {0, []added{{0, "", false, "a b c"}, {0, "", false, "d e"}}, "0:a,b,c,d | 0:e"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Splitter[string]{Account: shop(4, 0), Cap: c.cap, Several: true}
			first := 0
			for i, a := range c.adds {
				tokens := strings.Fields(a.tokens)
				e := &wire.Entry{Job: fmt.Sprint("job-", i), Message: a.message, Tokens: tokens}
				seg := Whole("chunk", e, i, tokens, first)
				first += len(tokens)
				for len(seg.Tokens) > 0 {
					s.Add(&seg, len(seg.Tokens), Terms{Key: Key{Request: a.request}, Message: &push.Message{Title: fmt.Sprint(a.message)}, Exclusive: a.exclusive})
				}
			}
			var all []Batches[string]
			for _, b := range s.Batches {
				if b.App != "shop" || b.Vendor != "nova" || b.Tag != b.Request {
					t.Errorf("a batch has the key %+v and the tag %q", b.Key, b.Tag)
				}
				all = append(all, Batches[string]{b})
			}
			if got := text(all...); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestASegmentThatIsCutKeepsItsTokensPlaces(t *testing.T) {
	t.Parallel()
	e := &wire.Entry{Tokens: []string{"a", "b", "c", "d"}}
	whole, some := Whole("chunk", e, 0, e.Tokens, 10), Some("chunk", e, 0, []string{"b", "d"}, []int{11, 13})
	for name, c := range map[string]struct {
		s    Segment[string]
		want [2][]int
	}{
		"tokens in a row":  {whole, [2][]int{{10}, {11, 12, 13}}},
		"tokens with gaps": {some, [2][]int{{11}, {13}}},
	} {
		head := c.s.cut(1)
		for i, s := range []Segment[string]{head, c.s} {
			var places []int
			for k := range s.Tokens {
				places = append(places, s.Place(k))
			}
			if !slices.Equal(places, c.want[i]) {
				t.Errorf("%s, part %d: places are %v, want %v", name, i+1, places, c.want[i])
			}
		}
	}
}

func TestMixPutsDifferentMessagesInOneRequest(t *testing.T) {
	t.Parallel()
	exclusive := of("exclusive", "C", "z")
	exclusive.Exclusive = true
	a := shop(10, 4)
	a.Spec.Quotas = []vendors.Quota{{Bucket: "news", Counts: func(m *push.Message, _ int) bool { return m.Title == "N" }}}
	for name, c := range map[string]struct {
		batches []*Batch[string]
		limit   int
		want    string
	}{
		"small ones share":                  {[]*Batch[string]{of("1", "A", "a"), of("2", "B", "b", "c")}, 0, "A:a + B:b,c"},
		"as many as fit":                    {[]*Batch[string]{of("1", "A", "a", "b"), of("2", "B", "c", "d"), of("3", "C", "e")}, 0, "A:a,b + B:c,d | C:e"},
		"a large one goes by itself":        {[]*Batch[string]{of("1", "A", "a", "b", "c"), of("2", "B", "d")}, 0, "A:a,b,c | B:d"},
		"no token twice":                    {[]*Batch[string]{of("1", "A", "a"), of("2", "B", "a")}, 0, "A:a | B:a"},
		"one that has to go by itself":      {[]*Batch[string]{of("1", "A", "a"), exclusive, of("2", "B", "b")}, 0, "A:a + B:b | C:z"},
		"a limit below the vendor's":        {[]*Batch[string]{of("1", "A", "a"), of("2", "B", "b"), of("3", "C", "c")}, 2, "A:a + B:b | C:c"},
		"messages of one quota only":        {[]*Batch[string]{of("1", "A", "a"), of("2", "N", "b"), of("3", "N", "c")}, 0, "A:a | N:b + N:c"},
		"none where the limit is one token": {[]*Batch[string]{of("1", "A", "a"), of("2", "B", "b")}, 1, "A:a | B:b"},
	} {
		if got := text(Mix(a, c.batches, c.limit)...); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// gathered sends batches in turn, the next one when nothing else goes on, and
// returns the requests that were made.
func gathered(t *testing.T, a *account.Account, pause time.Duration, all ...*Batch[string]) (requests string, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		draining := make(chan struct{})
		g := NewGatherer[string](10*time.Millisecond, draining)
		sent := make(chan Batches[string], len(all))
		start := time.Now()
		done := make(chan struct{})
		for _, b := range all {
			go func() {
				g.Send(t.Context(), a, b, func(_ context.Context, bs Batches[string]) { sent <- bs })
				done <- struct{}{}
			}()
			synctest.Wait()
			if pause > 0 {
				<-time.After(pause)
			}
		}
		for range all {
			<-done
		}
		took = time.Since(start)
		close(sent)
		var got []Batches[string]
		for bs := range sent {
			got = append(got, bs)
		}
		slices.SortFunc(got, func(x, y Batches[string]) int { return strings.Compare(text(x), text(y)) })
		requests = text(got...)
		if len(g.open) > 0 {
			t.Errorf("%d gatherings are open at the end", len(g.open))
		}
	})
	return requests, took
}

func TestGathererLetsSmallBatchesShareARequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a     *account.Account
		pause time.Duration
		all   []*Batch[string]
		want  string
	}{
		"of one message":                {shop(4, 0), 0, []*Batch[string]{of("1", "A", "a"), of("2", "A", "b")}, "A:a,b"},
		"not of different ones":         {shop(4, 0), 0, []*Batch[string]{of("1", "A", "a"), of("2", "B", "b")}, "A:a | B:b"},
		"of different ones when mixed":  {shop(4, 4), 0, []*Batch[string]{of("1", "A", "a"), of("2", "B", "b"), of("3", "A", "c")}, "A:a,c + B:b"},
		"no token twice":                {shop(4, 0), 0, []*Batch[string]{of("1", "A", "a"), of("2", "A", "a")}, "A:a | A:a"},
		"not beyond the limit":          {shop(2, 0), 0, []*Batch[string]{of("1", "A", "a", "b"), of("2", "A", "c")}, "A:a,b | A:c"},
		"the second within a linger":    {shop(4, 0), time.Millisecond / 2, []*Batch[string]{of("1", "A", "a"), of("2", "A", "b"), of("3", "A", "c")}, "A:a,b,c"},
		"not one that comes much later": {shop(4, 0), time.Second, []*Batch[string]{of("1", "A", "a"), of("2", "A", "b")}, "A:a | A:b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _ := gathered(t, c.a, c.pause, c.all...); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestALonelyBatchHardlyWaits(t *testing.T) {
	t.Parallel()
	if _, took := gathered(t, shop(4, 0), 0, of("1", "A", "a")); took != firstWait {
		t.Errorf("it was sent after %v, want %v", took, firstWait)
	}
	if _, took := gathered(t, shop(4, 0), 0, of("1", "A", "a"), of("2", "A", "b")); took != 10*time.Millisecond {
		t.Errorf("two were sent after %v, want the linger", took)
	}
	if _, took := gathered(t, shop(2, 0), 0, of("1", "A", "a"), of("2", "A", "b")); took != 0 {
		t.Errorf("a full request was sent after %v, want at once", took)
	}
}

func TestKeepTakesSegmentsOut(t *testing.T) {
	t.Parallel()
	b := of("1", "A", "a")
	b.merge(of("2", "A", "b", "c"))
	b.merge(of("3", "A", "d"))
	bs := Batches[string]{b, of("4", "B", "e")}
	if !bs.SeveralJobs() || bs.Count() != 5 || len(bs.Owners()) != 4 {
		t.Errorf("got %d tokens of %q", bs.Count(), bs.Owners())
	}
	left, removed := bs.Keep(func(s *Segment[string]) bool { return s.Entry.Job != "2" })
	if got := text(left); !removed || got != "A:a,d + B:e" || left.Count() != 3 {
		t.Errorf("left is %s with %d tokens", got, left.Count())
	}
	left, removed = left.Keep(func(s *Segment[string]) bool { return s.Entry.Job == "4" })
	if got := text(left); !removed || got != "B:e" || left.SeveralJobs() {
		t.Errorf("left is %s", got)
	}
	if _, removed = left.Keep(func(*Segment[string]) bool { return true }); removed {
		t.Error("something was taken out although all was to be kept")
	}
}

func TestARequestIsAsUrgentAsItsMostUrgentBatchAndEndsWithItsFirstJob(t *testing.T) {
	t.Parallel()
	a, b := of("1", "A", "a"), of("2", "A", "b")
	b.Priority, b.KeepUntil = push.Normal, a.KeepUntil.Add(-time.Minute)
	b.Segments[0].Entry.Expires = a.Segments[0].Entry.Expires - 1
	bs := Batches[string]{a, b}
	if got := bs.Priority(); got != push.Normal {
		t.Errorf("the priority is %s, want normal", got)
	}
	if got := bs.Expires().UnixMilli(); got != b.Segments[0].Entry.Expires {
		t.Errorf("it expires at %d, want with the second", got)
	}
	a.merge(b)
	if a.Priority != push.Normal || !a.KeepUntil.Equal(b.KeepUntil) || a.Count != 2 {
		t.Errorf("after a merge: %+v", a)
	}
}
