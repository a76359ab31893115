package dispatch_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// go-redis sends a step again whose reply was lost. The task is done nevertheless,
// and its tokens' outcomes are counted once.
func TestAStepWhoseReplyWasLostEndsItsTask(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply reply
		want  map[wire.Outcome]int
	}{
		"all accepted":      {say("ok"), map[wire.Outcome]int{wire.Delivered: 3}},
		"the message wrong": {say("drop"), map[wire.Outcome]int{wire.Dropped: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
				var proxy *redistest.Proxy
				r := newRig(t, func(r *rig) {
					p, flaky := redistest.Flaky(t, r.rdb)
					proxy, r.cfg.Book = p, &ledger.Store{Redis: flaky, Now: r.clock.now}
				})
				r.vendor.always = c.reply
				task := r.separate(job("a", "t1", "t2", "t3"))[0]
				task.Ours = func(context.Context) (bool, error) { return true, nil }
				proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
				if err := r.handle(task); err != nil {
					t.Errorf("answer %d lost: got %v, want the task done", n, err)
				}
				if !maps.Equal(r.meter.outcomes, c.want) {
					t.Errorf("answer %d lost: counted %v, want %v", n, r.meter.outcomes, c.want)
				}
				r.want("a", c.want)
				if n > 0 && proxy.Commands() < n || t.Failed() {
					return
				}
			}
		})
	}
}

// A worker that slept while another one finished its task counts nothing.
func TestAStepAfterAnotherRunEndedTheChunkCountsNothing(t *testing.T) {
	t.Parallel()
	for name, ours := range map[string]func(context.Context) (bool, error){
		"the task is another's": func(context.Context) (bool, error) { return false, nil },
		"it cannot be known":    func(context.Context) (bool, error) { return true, fmt.Errorf("redis is away") },
		"it is not in work":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			task := r.separate(job("a", "t1", "t2", "t3"))[0]
			task.Ours = ours
			r.vendor.always = func(v *vendors.Request) (vendors.Answer, error) {
				r.vendor.always = nil
				other := task
				other.Ours = nil
				r.must(r.d.Fence(t.Context(), other.Task, func(context.Context) (bool, error) { return true, nil }))
				r.must(r.handle(other))
				return say("ok")(v)
			}
			r.again(task)
			if want := map[wire.Outcome]int{wire.Delivered: 3}; !maps.Equal(r.meter.outcomes, want) {
				t.Errorf("counted %v, want %v", r.meter.outcomes, want)
			}
			r.want("a", map[wire.Outcome]int{wire.Delivered: 3})
		})
	}
}
