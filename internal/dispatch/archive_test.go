package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

func archived(t task, reason wire.DeadReason) queue.Archived {
	return queue.Archived{Task: t.Task, Reason: reason, Detail: "by hand"}
}

func TestWhatAnArchivedTaskCarriesBecomesDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{but(map[string]string{"t2": "busy", "t3": "busy", "t5": "busy"})}
	tasks := r.packed(job("a", "t1", "t2", "t3"), job("b", "t4"), job("c", "t5"))
	r.again(tasks[0]) // delivers t1 and t4
	r.must(r.book.Cancel(t.Context(), "c"))
	r.must(r.d.EndArchived(t.Context(), tasks[0].lane, []queue.Archived{archived(tasks[0], wire.DeadPoison)}))
	r.want("a", outcomes{wire.Delivered: 1, wire.Dead: 2})
	r.want("b", outcomes{wire.Delivered: 1})
	r.want("c", outcomes{wire.Canceled: 1})
	r.wantEntries(wire.DeadStream, []string{"app", "vendor", "job", "reason", "detail", "attempts", "tokens", "priority"}, "shop|nova|a|poison|by hand|1|t2\nt3|normal")
	if len(r.rdb.Keys(t.Context(), wire.ChunkKey("*")).Val()) > 0 {
		t.Error("the chunk is still there")
	}
	r.must(r.d.EndArchived(t.Context(), tasks[0].lane, []queue.Archived{archived(tasks[0], wire.DeadPoison)})) // again: nothing
	r.want("a", outcomes{wire.Delivered: 1, wire.Dead: 2})
	if err := r.handle(tasks[0]); err != nil {
		t.Errorf("when somebody runs it from the UI: got %v, want nothing left", err)
	}
}

func TestEndArchivedKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.separate(job("a", "t1"), job("b", "t2"))
	h, err := wire.DecodeHeader(tasks[0].Payload)
	r.must(err)
	key := wire.ChunkKey(h.Chunk)
	r.must(r.rdb.SetRange(t.Context(), key, 0, "p9").Err()) // of a newer version
	all := []queue.Archived{archived(tasks[0], wire.DeadArchived), archived(tasks[1], wire.DeadArchived), {Task: queue.Task{ID: "x", Payload: []byte("?")}}}
	r.must(r.d.EndArchived(t.Context(), tasks[0].lane, all))
	if n := r.rdb.Exists(t.Context(), key).Val(); n != 1 {
		t.Error("what a newer version wrote is gone")
	}
	if got := r.entries(wire.DeadStream, "tokens"); len(got) != 1 {
		t.Errorf("%d dead letters, want one of the chunk that can be read", len(got))
	}
}

func TestEndArchivedFailsIfTheDeadLettersCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.Book = &tooLate{r.book} })
	tasks := r.separate(job("a", "t1"))
	if err := r.d.EndArchived(t.Context(), tasks[0].lane, []queue.Archived{archived(tasks[0], wire.DeadPoison)}); err == nil {
		t.Error("got nil, want an error: the sweep has to come again")
	}
	r.want("a", outcomes{wire.Pending: 1})
}

// ours says that the task is still the caller's.
func ours(context.Context) (bool, error) { return true, nil }

// A worker that slept while its chunk was taken over must not begin a request.
func TestARunThatWasFencedSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tasks := r.separate(job("a", "t1", "t2"))
	r.gate.first(func() {
		r.must(r.d.Fence(t.Context(), tasks[0].Task, ours))
		r.clock.forward(time.Minute)
	})
	if got := r.again(tasks[0]); got.Counted || got.Reason != ledger.TakenOver {
		t.Errorf("got %+v, want it put back: %s", got, ledger.TakenOver)
	}
	if got := r.vendor.sizes(); len(got) > 0 {
		t.Errorf("requests of %v tokens were made", got)
	}
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 2})
}

// A run whose request is in flight can only be kept from recording it.
func TestARunThatWasFencedRecordsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	began, thaw := make(chan struct{}, 1), make(chan struct{})
	r.vendor.replies = []reply{answerWhen(began, thaw, but(map[string]string{"t1": "gone"}))}
	tasks := r.separate(job("a", "t1", "t2"))
	frozen := r.start(t.Context(), tasks[0])
	from(t, began, "the request")
	r.must(r.d.Fence(t.Context(), tasks[0].Task, ours))
	close(thaw)
	if err := from(t, frozen, "the frozen run's end"); !errors.As(err, new(*queue.AgainError)) {
		t.Errorf("got %v, want it put back", err)
	}
	r.want("a", outcomes{wire.Pending: 2})
	r.wantEntries(wire.InvalidStream, nil)
	r.must(r.d.Fence(t.Context(), queue.Task{ID: "x", Payload: []byte("?")}, ours)) // nobody's
}

// tooLate refuses every step.
type tooLate struct{ dispatch.Book }

func (tooLate) Settle(_ context.Context, steps []*ledger.Step) ([]bool, error) {
	return make([]bool, len(steps)), nil
}
