package slots

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// stage is slots with requests that enter and leave as the test says.
type stage struct {
	*testing.T
	slots    Slots
	draining chan struct{}
}

func (s *stage) account(app string, shared bool) *account.Account {
	return &account.Account{App: app, Shared: shared, Spec: vendors.Spec{Name: "nova"}}
}

// ask has n requests wait for slots; each that gets one is told to in.
func (s *stage) ask(a *account.Account, p push.Priority, n int, in chan<- string) {
	for range n {
		go func() {
			if s.slots.Enter(context.Background(), s.draining, a, p) {
				in <- a.App
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
		"an app that is alone may have all but those of high priority": {false, push.Normal, 14, 0, 2},
		"an app among others leaves them a quarter":                    {true, push.Bulk, 12, 2, 2},
		"high priority may have all":                                   {true, push.High, 16, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &stage{T: t, draining: make(chan struct{})}
				s.slots.Limit = 16
				in := make(chan string, 100)
				for _, step := range []struct {
					app  string
					p    push.Priority
					want int
				}{{"a", c.first, c.want}, {"b", push.Normal, c.then}, {"a", push.High, c.high}} {
					s.ask(s.account(step.app, c.shared), step.p, 20, in)
					if got := len(in); got != step.want {
						t.Errorf("app %s, %s: %d slots, want %d", step.app, step.p, got, step.want)
					}
					for len(in) > 0 {
						<-in
					}
				}
				close(s.draining)
				synctest.Wait()
				if v := s.slots.Of("nova"); len(v.waiting) != 0 || v.taken != 16 {
					t.Errorf("after the end %d wait and %d slots are taken", len(v.waiting), v.taken)
				}
			})
		})
	}
}

func TestASlotGoesToTheAppThatHasTheFewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, draining: make(chan struct{})}
		s.slots.Limit = 8
		a, b, in := s.account("a", true), s.account("b", true), make(chan string, 100)
		s.ask(a, push.Normal, 50, in)
		for len(in) > 0 {
			<-in // a has 6
		}
		s.ask(b, push.Normal, 50, in)
		if got := len(in); got != 1 { // 7 of 8, the last is for high priority
			t.Fatalf("b has %d slots, want 1", got)
		}
		<-in
		order := ""
		for range 8 {
			if order == "" || order[len(order)-1] == 'b' {
				s.slots.Leave(a, push.Normal)
			} else {
				s.slots.Leave(b, push.Normal)
			}
			synctest.Wait()
			order += <-in
		}
		v := s.slots.Of("nova")
		if v.apps["a"]-v.apps["b"] > 1 || v.apps["b"]-v.apps["a"] > 1 {
			t.Errorf("a has %d slots and b %d, want the same", v.apps["a"], v.apps["b"])
		}
		close(s.draining)
		synctest.Wait()
	})
}

func TestATurnThatIsGivenUpLeavesItsSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, draining: make(chan struct{})}
		s.slots.Limit = 1
		a, in := s.account("a", false), make(chan string, 10)
		s.ask(a, push.Normal, 1, in)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s.slots.Enter(ctx, s.draining, a, push.Normal) {
			t.Error("a second request has the only slot")
		}
		s.slots.Leave(a, push.Normal)
		if !s.slots.Enter(t.Context(), s.draining, a, push.Normal) {
			t.Error("the slot is not free")
		}
		close(s.draining)
		if s.slots.Enter(t.Context(), s.draining, a, push.High) {
			t.Error("a request got a slot while draining")
		}
	})
}

func TestASlotThatIsGivenTooLateIsNotLost(t *testing.T) {
	t.Parallel()
	s := &Slots{Limit: 1}
	v, late := s.Of("nova"), &turn{app: "a", given: make(chan struct{})}
	v.ask(late)
	<-late.given
	v.giveUp(late) // it left in the same moment
	next := &turn{app: "b", given: make(chan struct{})}
	v.ask(next)
	select {
	case <-next.given:
	default:
		t.Error("the slot is lost")
	}
}
