package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// few makes the vendor one that takes 10 tokens of a test message, and 100 of any other.
func few(r *rig) { r.acct.Spec.TestBatch = 10 }

func numbered(id string, n int, test bool) push.Job {
	j := job(id)
	j.Message.Test = test
	for i := range n {
		j.Targets["nova"] = append(j.Targets["nova"], fmt.Sprintf("%s-%d", id, i))
	}
	return j
}

func TestATestMessageGoesToFewAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		jobs []push.Job
		want []int
	}{
		{"a test message", []push.Job{numbered("a", 25, true)}, []int{5, 10, 10}},
		{"another", []push.Job{numbered("a", 25, false)}, []int{25}},
		{"both in one chunk", []push.Job{numbered("a", 12, true), numbered("b", 25, false)}, []int{2, 10, 25}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, few)
			r.finish(r.packed(tt.jobs...)...)
			if got := slices.Sorted(slices.Values(r.vendor.sizes())); !slices.Equal(got, tt.want) {
				t.Errorf("got requests of %v tokens, want %v", got, tt.want)
			}
			for _, j := range tt.jobs {
				r.want(j.ID, outcomes{wire.Delivered: len(j.Targets["nova"])})
			}
		})
	}
}

func TestTestMessagesShareRequestsUpToTheirOwnLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, few, func(r *rig) { r.cfg.Linger = 50 * time.Millisecond })
	var ended []<-chan error
	for _, task := range r.separate(numbered("a", 4, true), numbered("b", 4, true), numbered("c", 4, true)) {
		ended = append(ended, r.start(t.Context(), task))
	}
	for _, err := range ended {
		r.must(<-err)
	}
	if got := slices.Max(r.vendor.sizes()); got > 10 {
		t.Errorf("a request has %d tokens, want at most 10", got)
	}
}

// paced is a vendor with a limit of its own for data messages.
type paced struct {
	*vendor
	pace float64
}

func (p paced) Pace(m *push.Message) float64 {
	if m.Kind == push.Data {
		return p.pace
	}
	return 0
}

func TestARequestWithALowerLimitTakesMoreOfTheRate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		rate, pace float64
		kind       push.Kind
		want       int
	}{
		{"as much more as its limit is lower", 2000, 190, push.Data, 264}, // 25 tokens
		{"none where it has no limit", 2000, 190, push.Notification, 25},
		{"none where the app's rate is lower", 30, 190, push.Data, 25},
		{"none without a rate", 0, 190, push.Data, 25},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.acct.Vendor, r.acct.Rate = paced{r.vendor, tt.pace}, tt.rate })
			j := numbered("a", 25, false)
			j.Message.Kind, j.Message.Data = tt.kind, map[string]string{"k": "v"}
			r.finish(r.separate(j)...)
			if !slices.Equal(r.gate.units, []int{tt.want}) {
				t.Errorf("got %v permits, want %d", r.gate.units, tt.want)
			}
		})
	}
}
