package ledger_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestStatusHasEveryFieldOfTheContract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(r *rig)
		want string
	}{
		"a single job that waits": {
			func(r *rig) { r.enqueue(job("a", "t1")) },
			`{"job":"a","app":"shop","state":"running","accepted":1,"delivered":0,"invalid":0,"dropped":0,"expired":0,"dead":0,"canceled":0,"pending":1,"codes":{}}`,
		},
		"a single job that is over": {
			func(r *rig) { r.enqueue(job("a", "t1")); r.settle(step(r.load(), gone, wire.Invalid)) },
			`{"job":"a","app":"shop","state":"done","accepted":1,"delivered":0,"invalid":1,"dropped":0,"expired":0,"dead":0,"canceled":0,"pending":0,"codes":{"huawei/response/80300007":1}}`,
		},
		"a single job that is being canceled": {
			func(r *rig) {
				r.enqueue(job("a", "t1"))
				r.set("a", wire.Single{Outcome: wire.Pending, Canceling: true, App: "shop"})
			},
			`{"job":"a","app":"shop","state":"canceled","accepted":1,"delivered":0,"invalid":0,"dropped":0,"expired":0,"dead":0,"canceled":0,"pending":1,"codes":{}}`,
		},
		"a single job that was canceled": {
			func(r *rig) { r.enqueue(job("a", "t1")); r.settle(step(r.load(), broken, wire.Canceled)) },
			`{"job":"a","app":"shop","state":"canceled","accepted":1,"delivered":0,"invalid":0,"dropped":0,"expired":0,"dead":0,"canceled":1,"pending":0,"codes":{"huawei/http/503":1}}`,
		},
		"a job that waits": {
			func(r *rig) { r.enqueue(job("a", "t1", "t2")) },
			`{"job":"a","app":"shop","state":"running","accepted":2,"delivered":0,"invalid":0,"dropped":0,"expired":0,"dead":0,"canceled":0,"pending":2,"codes":{}}`,
		},
		"a job that is being enqueued": {
			func(r *rig) { r.stream(job("a", "t1", "t2")); r.state("a", wire.Staging) },
			`{"job":"a","app":"shop","state":"running","accepted":2,"delivered":0,"invalid":0,"dropped":0,"expired":0,"dead":0,"canceled":0,"pending":2,"codes":{}}`,
		},
		"a job that is over": {
			func(r *rig) {
				r.enqueue(job("a", "t1", "t2", "t3"))
				r.settle(step(r.load(), success, delivered, wire.Expired, wire.Dropped))
			},
			`{"job":"a","app":"shop","state":"done","accepted":3,"delivered":1,"invalid":0,"dropped":1,"expired":1,"dead":0,"canceled":0,"pending":0,"codes":{"huawei/response/80000000":3}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.make(r)
			got, err := json.Marshal(r.status("a"))
			r.must(err)
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestStatusCountsEveryOutcome(t *testing.T) {
	t.Parallel()
	seen := map[wire.Outcome]bool{}
	for i, o := range append(wire.Outcomes(), wire.Pending) {
		var st ledger.Status
		b := []byte(`{"` + string(o) + `":` + string(rune('1'+i)) + `}`)
		if err := json.Unmarshal(b, &st); err != nil || st.Count(o) != i+1 {
			t.Errorf("%s counts %d, %v, want %d", o, st.Count(o), err, i+1)
		}
		seen[o] = true
	}
	if got := slices.Sorted(maps.Keys(seen)); len(got) != 7 {
		t.Errorf("outcomes are %v, want seven", got)
	}
}

func TestStatusOfAnUnknownJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.book.Status(t.Context(), "nobody")
	if !errors.Is(err, ledger.ErrUnknown) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v, want ErrUnknown with the job's name", err)
	}
}

func TestStatusRefusesAValueThatIsNotALedger(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(r *rig) error{
		"a string without a state": func(r *rig) error { return r.rdb.Set(r.Context(), wire.JobKey("a"), "hello", 0).Err() },
		"a newer single ledger":    func(r *rig) error { return r.rdb.Set(r.Context(), wire.JobKey("a"), "2d1 shop", 0).Err() },
		"accepted is no number":    func(r *rig) error { return r.rdb.HSet(r.Context(), wire.JobKey("a"), "accepted", "x").Err() },
		"an outcome is no number":  func(r *rig) error { return r.rdb.HSet(r.Context(), wire.JobKey("a"), "dead", "x").Err() },
		"a code is no number":      func(r *rig) error { return r.rdb.HSet(r.Context(), wire.JobKey("a"), success, "x").Err() },
		"another type":             func(r *rig) error { return r.rdb.SAdd(r.Context(), wire.JobKey("a"), "x").Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.must(write(r))
			if st, err := r.book.Status(t.Context(), "a"); err == nil || errors.Is(err, ledger.ErrUnknown) {
				t.Errorf("got %+v, %v, want an error", st, err)
			}
		})
	}
}
