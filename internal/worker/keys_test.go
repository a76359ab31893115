package worker_test

import (
	"testing"

	"github.com/postrider/postrider/pkg/push"
)

// OPPO and the simulator silently drop a message with a known app_message_id: the
// ledger would say delivered, but the phone would get only the first message.
func TestTwoJobsWithTheSameWordsReachThePhoneTwice(t *testing.T) {
	t.Parallel()
	job := func(id string, class push.Class, tokens ...string) push.Job {
		return push.Job{
			ID: id, App: "shop", Message: push.Message{Title: "Shop", Body: "You have a new message", Class: class},
			Targets: map[string][]string{"oppo": tokens},
		}
	}
	for name, c := range map[string]struct {
		jobs   []push.Job
		packed bool
	}{
		"small":             {jobs: []push.Job{job("a", push.Service, "regid-1"), job("b", push.Service, "regid-1")}},
		"packed":            {jobs: []push.Job{job("a", push.Service, "regid-1"), job("b", push.Service, "regid-1")}, packed: true},
		"to several phones": {jobs: []push.Job{job("a", push.Service, "regid-1", "regid-2"), job("b", push.Service, "regid-1", "regid-2")}},
		"saved at the vendor": {
			jobs: []push.Job{job("a", push.Marketing, "regid-1", "regid-2"), job("b", push.Marketing, "regid-1", "regid-2")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, conf := newStoredRig(t)
			r.start(conf)
			if c.packed {
				for _, o := range r.client.EnqueueMany(t.Context(), c.jobs) {
					r.must(o.Err)
				}
			}
			want := int64(0)
			for _, j := range c.jobs {
				if !c.packed {
					_, err := r.client.Enqueue(t.Context(), j)
					r.must(err)
				}
				want += int64(len(j.Targets["oppo"]))
				if st := r.ended(j.ID); st.Delivered != st.Accepted {
					t.Errorf("job %s: %+v, want all tokens delivered", j.ID, st)
				}
			}
			if got := r.sim.Report().Vendors["oppo"].Accepted; got != want {
				t.Errorf("the phones got %d messages, want %d", got, want)
			}
		})
	}
}
