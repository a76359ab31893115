package worker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Jobs with the same message to the same phones are separate notifications, however
// they are enqueued. The vendors here drop a notification with a known idempotency
// key and answer success.
func TestJobsWithTheSameMessageAreNotDropped(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"harmony", "oppo", "vivo", "xiaomi"} {
		for _, class := range []push.Class{push.Service, push.Marketing} {
			t.Run(fmt.Sprint(vendor, " ", class), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, redistest.Client(t))
				text := strings.Replace(demo.Settings(r.url, "127.0.0.1:0"), "redis://127.0.0.1:6379/0", redistest.URL(r.rdb), 1)
				cfg, err := config.Parse("demo.yaml", []byte(text), registry.All(), config.Source{})
				r.must(err)
				r.client, err = push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient(), Apps: cfg.ForClient()})
				r.must(err)
				tokens := make([]string, 1001)
				for i := range tokens {
					tokens[i] = fmt.Sprintf("token-%04d", i)
				}
				same := func(id string, tokens ...string) push.Job {
					return push.Job{
						ID: id, App: "demo", Message: push.Message{Class: class, Title: "News", Body: "You have a new message"},
						Targets: map[string][]string{vendor: tokens},
					}
				}
				jobs := []push.Job{same("single-1", tokens[0]), same("single-2", tokens[0]), same("few-1", tokens[:3]...), same("few-2", tokens[:3]...)}
				for _, j := range jobs {
					_, err := r.client.Enqueue(t.Context(), j)
					r.must(err)
				}
				packed := []push.Job{same("packed-1", tokens[0]), same("packed-2", tokens[0]), same("packed-3", tokens[0], tokens[1])}
				for _, o := range r.client.EnqueueMany(t.Context(), packed) {
					r.must(o.Err)
				}
				large := []push.Job{same("large-1", tokens...), same("large-2", tokens...)}
				for _, j := range large {
					_, err := r.client.Enqueue(t.Context(), j)
					r.must(err)
				}
				r.start(cfg)
				all, sent := append(append(jobs, packed...), large...), 0
				for _, j := range all {
					n := len(j.Targets[vendor])
					if st := r.ended(j.ID); st.Delivered != n {
						t.Errorf("%s: %+v, want %d delivered", j.ID, st, n)
					}
					sent += n
				}
				v := r.sim.Report().Vendors[vendor]
				if v.Swallowed != 0 || v.Accepted != int64(sent) {
					t.Errorf("of %d notifications %d reached the phones, %d were dropped", sent, v.Accepted, v.Swallowed)
				}
				if n := r.sim.Count(vendor, tokens[0]); n != len(all) {
					t.Errorf("a phone got %d notifications, want %d", n, len(all))
				}
			})
		}
	}
}
