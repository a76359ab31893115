package slots

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/pkg/push"
)

// harness has requests take and leave slots as the test says.
type harness struct {
	*testing.T
	slots    *Slots
	draining chan struct{}
}

func newHarness(t *testing.T, limit int) *harness {
	t.Helper()
	draining := make(chan struct{})
	return &harness{T: t, slots: New(limit, draining), draining: draining}
}

func (h *harness) slot(app string, p push.Priority, shared bool) *Slot {
	return h.slots.Slot(Request{Vendor: "nova", App: app, Priority: p, Shared: shared})
}

// ask has n requests wait for slots. Each that gets one sends it to taken.
func (h *harness) ask(app string, p push.Priority, shared bool, n int, taken chan<- *Slot) {
	for range n {
		go func() {
			if s := h.slot(app, p, shared); s.Take(context.Background()) {
				taken <- s
			}
		}()
	}
	synctest.Wait()
}

func TestSlots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shared           bool
		first            push.Priority
		want, then, high int // of 16 slots: for one app, then for another, then for high priority
	}{
		"an app that is the only one may have all but those of high priority": {false, push.Normal, 14, 0, 2},
		"an app among others leaves them a quarter":                           {true, push.Bulk, 12, 2, 2},
		"high priority may have all":                                          {true, push.High, 16, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, 16)
				taken := make(chan *Slot, 100)
				for _, step := range []struct {
					app  string
					p    push.Priority
					want int
				}{{"a", c.first, c.want}, {"b", push.Normal, c.then}, {"a", push.High, c.high}} {
					h.ask(step.app, step.p, c.shared, 20, taken)
					if got := len(taken); got != step.want {
						t.Errorf("app %s, %s: %d slots, want %d", step.app, step.p, got, step.want)
					}
					for len(taken) > 0 {
						<-taken
					}
				}
				close(h.draining)
				synctest.Wait()
				if v := h.slots.of("nova"); len(v.waiting) != 0 || v.taken != 16 {
					t.Errorf("after the end %d wait and %d slots are taken", len(v.waiting), v.taken)
				}
			})
		})
	}
}

func TestAFreeSlotGoesToTheAppThatHasTheFewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8)
		taken := make(chan *Slot, 100)
		of := map[string][]*Slot{}
		receive := func() string {
			s := <-taken
			of[s.request.App] = append(of[s.request.App], s)
			return s.request.App
		}
		h.ask("a", push.Normal, true, 50, taken)
		for len(taken) > 0 {
			receive() // a has 6
		}
		h.ask("b", push.Normal, true, 50, taken)
		if got := len(taken); got != 1 { // 7 of 8, the last is for high priority
			t.Fatalf("b has %d slots, want 1", got)
		}
		receive()
		last := "b"
		for range 8 {
			leaves := "b"
			if last == "b" {
				leaves = "a"
			}
			of[leaves][0].Leave()
			of[leaves] = of[leaves][1:]
			synctest.Wait()
			last = receive()
		}
		v := h.slots.of("nova")
		if v.apps["a"]-v.apps["b"] > 1 || v.apps["b"]-v.apps["a"] > 1 {
			t.Errorf("a has %d slots and b %d, want the same", v.apps["a"], v.apps["b"])
		}
		close(h.draining)
		synctest.Wait()
	})
}

func TestARequestThatGivesUpTakesNoSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1)
		first := h.slot("a", push.Normal, false)
		if !first.Take(t.Context()) {
			t.Fatal("the first request has no slot")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if h.slot("a", push.Normal, false).Take(ctx) {
			t.Error("a second request has the only slot")
		}
		first.Leave()
		first.Leave() // does nothing
		if !h.slot("a", push.Normal, false).Take(t.Context()) {
			t.Error("the slot is not free")
		}
		if v := h.slots.of("nova"); v.taken != 1 {
			t.Errorf("%d slots are taken, want 1", v.taken)
		}
		close(h.draining)
		if h.slot("a", push.High, false).Take(t.Context()) {
			t.Error("a request got a slot while draining")
		}
	})
}

func TestASlotThatIsGivenTooLateIsNotLost(t *testing.T) {
	t.Parallel()
	v := New(1, nil).of("nova")
	late := &turn{Request: Request{App: "a"}, given: make(chan struct{})}
	v.ask(late)
	<-late.given
	v.giveUp(late) // it gave up in the same moment
	next := &turn{Request: Request{App: "b"}, given: make(chan struct{})}
	v.ask(next)
	select {
	case <-next.given:
	default:
		t.Error("the slot is lost")
	}
}

func TestTwoLargeChunksOfALaneAreSentAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8)
		r := Request{Vendor: "nova", App: "a", Priority: push.Normal}
		leave, ok := h.slots.TryLarge(r)
		if _, second := h.slots.TryLarge(r); !ok || !second {
			t.Fatalf("the first two begin: %v, %v, want both", ok, second)
		}
		if _, ok := h.slots.TryLarge(r); ok {
			t.Error("a third one of the lane begins")
		}
		other := r
		other.Priority = push.Bulk
		if _, ok := h.slots.TryLarge(other); !ok {
			t.Error("one of another lane waits")
		}
		began := false
		go func() { _, began = h.slots.WaitLarge(context.Background(), r) }()
		synctest.Wait()
		if began {
			t.Error("a third one of the lane did not wait")
		}
		leave()
		leave() // does nothing
		synctest.Wait()
		if !began {
			t.Error("nobody begins after one has ended")
		}
		close(h.draining)
		if _, ok := h.slots.WaitLarge(context.Background(), r); ok {
			t.Error("one begins while draining")
		}
	})
}
