package play

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func (c *Counts) addTexts(tokens ...string) (added, fresh int) {
	list := make([][]byte, len(tokens))
	for i, t := range tokens {
		list[i] = []byte(t)
	}
	var b batch
	b.load(list)
	return c.Add(&b)
}

func TestCountsAgreeWithAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c Counts
		model := map[string]int{}
		for range rapid.IntRange(1, 20).Draw(t, "batches") {
			tokens := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,2}`), 0, 200).Draw(t, "tokens")
			fresh := 0
			for _, token := range tokens {
				if model[token]++; model[token] == 1 {
					fresh++
				}
			}
			if a, f := c.addTexts(tokens...); a != len(tokens) || f != fresh {
				t.Fatalf("got %d added, %d fresh; want %d, %d", a, f, len(tokens), fresh)
			}
		}
		for token, want := range model {
			if got := c.of(token); got != want {
				t.Fatalf("%s: got %d, want %d", token, got, want)
			}
		}
		if got := c.of("never"); got != 0 {
			t.Fatalf("got %d for a token never seen", got)
		}
	})
}

func TestACounterStopsAtItsHighestValue(t *testing.T) {
	t.Parallel()
	var c Counts
	for range 65600 {
		c.addTexts("a")
	}
	if got := c.of("a"); got != 65535 {
		t.Errorf("got %d, want 65535", got)
	}
	if added, fresh := c.addTexts("a"); added != 1 || fresh != 0 {
		t.Errorf("got %d added, %d fresh; want 1, 0", added, fresh)
	}
}

func TestDuplicatesAreThoseAfterTheFirst(t *testing.T) {
	t.Parallel()
	var b batch
	b.load([][]byte{[]byte("a"), []byte("b"), []byte("a"), []byte("a"), []byte("c")})
	if got := b.duplicates(); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
}

func TestAMillionTokensStaySmall(t *testing.T) {
	var c Counts
	const n = 1_000_000
	before := heap()
	var b batch
	list := make([][]byte, 1000)
	for i := 0; i < n; i += len(list) {
		for j := range list {
			list[j] = fmt.Appendf(list[j][:0], "token-%d", i+j)
		}
		b.load(list)
		c.Add(&b)
	}
	got := float64(heap()-before) / n
	if got > 40 {
		t.Errorf("got %.1f bytes a token, want at most 40", got)
	}
	if c.of("token-999999") != 1 {
		t.Error("a token got lost")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAWindowAgreesWithAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type event struct{ bucket, n int64 }
		var w window
		var events []event
		var peak int64
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			n := rapid.Int64Range(1, 1000).Draw(t, "n")
			w.add(at, n)
			now := at.UnixMilli() / 10
			events = append(events, event{now, n})
			var want int64
			for _, e := range events {
				if now-e.bucket < 100 {
					want += e.n
				}
			}
			peak = max(peak, want)
			if got := w.last(at); got != want || w.peak != peak {
				t.Fatalf("got %d, peak %d; want %d, %d", got, w.peak, want, peak)
			}
		}
	})
}

func TestAWindowOutlivesAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	var w window
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.add(at, 1)
	w.add(at.Add(-time.Hour), 2)
	w.add(time.Time{}, 3)
	if got := w.last(at); got != 6 {
		t.Errorf("got %d, want 6", got)
	}
}
