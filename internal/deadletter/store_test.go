package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestEachReadsWhatTheLedgerWrote(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := job("a", "t1", "t2", "t3")
	j.Priority, j.Delivery = "bulk", "at-most-once"
	r.die(r.send(j)...)
	all := r.all(wire.EntryFilter{})
	if len(all) != 1 {
		t.Fatalf("%d entries, want 1", len(all))
	}
	got := all[0]
	if time.Since(got.At).Abs() > time.Minute || got.Expires.Sub(got.Start) != 24*time.Hour || got.ID == "" {
		t.Errorf("id %q, died %v, lived from %v to %v", got.ID, got.At, got.Start, got.Expires)
	}
	want := deadletter.Entry{
		ID: got.ID, Version: wire.DeadVersion, App: "shop", Vendor: "huawei", Job: "a", Code: busy, Reason: wire.DeadAttempts, Detail: "busy",
		Class: "retryable", Attempts: 8,
		At: got.At, Tokens: "t1\nt2\nt3", Message: `{"title":"Shipped","body":"Your order is on its way"}`,
		Priority: "bulk", Delivery: "at-most-once", Start: got.Start, Expires: got.Expires,
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got.Count() != 3 || !slices.Equal(got.List(), []string{"t1", "t2", "t3"}) || got.Number() != "81000001" {
		t.Errorf("%d tokens %q with code %q", got.Count(), got.List(), got.Number())
	}
	one, err := r.store.Get(t.Context(), got.ID)
	if err != nil || one != want {
		t.Errorf("Get answers %+v, %v", one, err)
	}
}

func TestGetRefusesWhatIsNoIDAndTellsWhatIsUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{"", "-", "+", "x", "1-", "1-x", "(1-0", "1 -0"} {
		if _, err := r.store.Get(t.Context(), id); err == nil || errors.Is(err, deadletter.ErrUnknown) {
			t.Errorf("%q: got %v, want it refused", id, err)
		}
	}
	if _, err := r.store.Get(t.Context(), "1-0"); !errors.Is(err, deadletter.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func TestFiltersChooseEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for _, f := range []map[string]string{
		{},
		{"app": "news"},
		{"vendor": "oppo", "code": "oppo/response/81000001"},
		{"code": "huawei/http/503", "job": "b"},
		{"code": "", "job": "b"},
		{"job": "c"},
	} {
		ids = append(ids, r.letter(f))
	}
	ms := func(id string) time.Time {
		var n int64
		_, err := fmt.Sscanf(id, "%d-", &n)
		r.must(err)
		return time.UnixMilli(n)
	}
	for _, c := range []struct {
		name   string
		filter wire.EntryFilter
		want   []int
	}{
		{"nothing said", wire.EntryFilter{}, []int{0, 1, 2, 3, 4, 5}},
		{"app", wire.EntryFilter{App: "news"}, []int{1}},
		{"vendor", wire.EntryFilter{Vendor: "oppo"}, []int{2}},
		{"whole code", wire.EntryFilter{Code: busy}, []int{0, 1, 5}},
		{"the vendor's code", wire.EntryFilter{Code: "81000001"}, []int{0, 1, 2, 5}},
		{"a part of a code", wire.EntryFilter{Code: "8100000"}, nil},
		{"a level", wire.EntryFilter{Code: "http"}, nil},
		{"job", wire.EntryFilter{Job: "b"}, []int{3, 4}},
		{"job and code", wire.EntryFilter{Job: "b", Code: "503"}, []int{3}},
		{"everything since the first", wire.EntryFilter{Since: ms(ids[0])}, []int{0, 1, 2, 3, 4, 5}},
		{"nothing since later", wire.EntryFilter{Since: ms(ids[5]).Add(time.Millisecond)}, nil},
		{"since before all time", wire.EntryFilter{Since: time.UnixMilli(-5)}, []int{0, 1, 2, 3, 4, 5}},
	} {
		var got, want []string
		for _, e := range r.all(c.filter) {
			got = append(got, e.ID)
		}
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}

func TestSinceLeavesOutWhatDiedBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, ms := range []int{1000, 2000, 2000, 3000} {
		r.must(r.rdb.Do(t.Context(), "XADD", wire.DeadStream, fmt.Sprintf("%d-*", ms), "job", "a").Err())
	}
	for ms, want := range map[int64]int{1000: 4, 1001: 3, 2000: 3, 2001: 1, 3000: 1, 3001: 0} {
		if got := len(r.all(wire.EntryFilter{Since: time.UnixMilli(ms)})); got != want {
			t.Errorf("since %d ms: %d entries, want %d", ms, got, want)
		}
	}
}

func TestEachReadsManyPagesInOrderAndLeavesOutNewEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 230
	for i := range n {
		r.letter(map[string]string{"job": fmt.Sprint("j", i)})
	}
	i := 0
	r.must(r.store.Each(t.Context(), wire.EntryFilter{}, func(e *deadletter.Entry) error {
		if want := fmt.Sprint("j", i); e.Job != want {
			t.Fatalf("entry %d is of %s, want %s", i, e.Job, want)
		}
		i++
		r.letter(map[string]string{"job": "late"})
		return nil
	}))
	if i != n {
		t.Errorf("%d entries, want %d", i, n)
	}
}

func TestEachStopsAtAnErrorOfItsCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 120 {
		r.letter(nil)
	}
	enough := errors.New("enough")
	n := 0
	err := r.store.Each(t.Context(), wire.EntryFilter{}, func(*deadletter.Entry) error {
		if n++; n == 60 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 60 {
		t.Errorf("got %v after %d, want the error of number 60", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err = r.store.Each(ctx, wire.EntryFilter{}, func(*deadletter.Entry) error {
		n++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || n > 50 {
		t.Errorf("got %v after %d, want it canceled within a page", err, n)
	}
}

func TestPurgeDeletesWhatIsChosenAndCountsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.die(r.send(job("a", "t1", "t2"))...)
	for range 120 {
		r.letter(map[string]string{"job": "b"})
	}
	r.letter(map[string]string{"job": "c", "tokens": "t9"})
	sum, err := r.store.Purge(t.Context(), wire.EntryFilter{Job: "b"})
	if err != nil || sum != (deadletter.Sum{Entries: 120, Tokens: 240}) {
		t.Errorf("got %+v, %v, want 120 entries with 240 tokens", sum, err)
	}
	if left := r.all(wire.EntryFilter{}); len(left) != 2 || left[0].Job != "a" || left[1].Job != "c" {
		t.Errorf("%v are left, want those of a and c", left)
	}
	sum, err = r.store.Purge(t.Context(), wire.EntryFilter{Job: "b"})
	if err != nil || sum != (deadletter.Sum{}) {
		t.Errorf("the second time: %+v, %v, want nothing", sum, err)
	}
	st, err := r.book.Status(t.Context(), "a")
	if err != nil || st.Dead != 2 {
		t.Errorf("the ledger says %+v, %v, want 2 dead", st, err)
	}
}
