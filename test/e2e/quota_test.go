package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push"
)

// TestAQuotaThatIsUsedUpPausesOnlyItsBucket has a vendor that answers one message
// with a used-up quota: no worker sends another request of that bucket, messages of
// the other class are sent, and operators see the pause.
func TestAQuotaThatIsUsedUpPausesOnlyItsBucket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ vendor, code, bucket string }{
		{"vivo", "10070", "operational"},
		{"oppo", "33", "public"},
	} {
		t.Run(c.vendor+" "+c.code, func(t *testing.T) {
			t.Parallel()
			st := newWatchedRig(t, allVendors(), simulator.Options{})
			st.setFaults(simulator.Fault{Vendor: c.vendor, TokenPrefix: "parked-", Code: c.code})
			urls := []string{st.startWithAddress(), st.startWithAddress()}
			st.enqueue(classJob(c.vendor, "parked", 0, push.Marketing, push.Normal))
			var pause status.Pause
			st.await("the bucket is paused", func() bool {
				all := st.pauses(c.vendor)
				if len(all) > 0 {
					pause = all[0]
				}
				return len(all) > 0
			})
			if pause.Bucket != c.bucket || pause.Kind != "quota" || pause.State != status.Paused || !pause.Until.After(time.Now()) || !strings.Contains(pause.Why, c.vendor+"/response/"+c.code) {
				t.Errorf("lanes shows %+v, want the bucket %s paused for %s", pause, c.bucket, c.code)
			}
			for _, url := range urls {
				page := st.page(url + "/postrider")
				for _, want := range []string{c.bucket, c.vendor + "/response/" + c.code} {
					if !strings.Contains(page, want) {
						t.Errorf("/postrider does not show %q", want)
					}
				}
			}
			before := st.mentions(c.vendor, "parked")
			const more = 6
			for i := 1; i <= more; i++ {
				st.enqueue(classJob(c.vendor, "parked", i, push.Marketing, []push.Priority{push.High, push.Normal, push.Bulk}[i%3]))
				st.enqueue(classJob(c.vendor, "free", i, push.Service, push.Normal))
			}
			st.await("the other class is delivered", func() bool {
				for i := 1; i <= more; i++ {
					if st.status(fmt.Sprint("free-", i)).State != "done" {
						return false
					}
				}
				return true
			})
			st.await("the paused messages are requeued", func() bool { return st.later(c.vendor) == more+1 })
			after := len(st.mentions(c.vendor, "parked")) - len(before)
			if after != 0 {
				t.Errorf("%d requests of the bucket reached %s after its quota was used up", after, c.vendor)
			}
			for i := range more + 1 {
				if s := st.status(fmt.Sprint("parked-", i)); s.Pending != s.Accepted {
					t.Errorf("parked-%d: %+v, want all pending", i, s)
				}
				if s := st.status(fmt.Sprint("free-", max(i, 1))); s.Delivered != s.Accepted {
					t.Errorf("free: %+v, want all delivered", s)
				}
			}
			t.Logf("%d requests before the pause, %d after; until %s: %s", len(before), after, pause.Until.Format(time.DateTime), pause.Why)
		})
	}
}

// classJob is a job of a class at one vendor, with its name in message and tokens.
func classJob(vendor, name string, i int, class push.Class, p push.Priority) push.Job {
	j := push.Job{
		ID: fmt.Sprintf("%s-%d", name, i), App: "demo", Priority: p, Targets: map[string][]string{},
		Message: push.Message{Title: "Hello", Body: fmt.Sprintf("This is %s %d", name, i), Class: class},
	}
	for k := range 5 {
		j.Targets[vendor] = append(j.Targets[vendor], name+"-"+tokenFor(vendor, 100*i+k, false))
	}
	return j
}

// startWithAddress starts a worker and returns its address.
func (r *rig) startWithAddress() string {
	r.Helper()
	line := r.start("worker", "--config", r.config).await(`http://127\.0\.0\.1:\d+.*working|working.*http://127\.0\.0\.1:\d+`)
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
}

// page returns a page.
func (r *rig) page(url string) string {
	r.Helper()
	resp, err := http.Get(url) //nolint:forbidigo // loopback, in a test
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.Fatalf("GET %s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

// lanes returns the lanes of a vendor by the command.
func (r *rig) lanes(vendor string) []status.Lane {
	r.Helper()
	code, out := r.run(nil, "enqueue", "lanes", "--json")
	if code != 0 {
		r.Fatalf("lanes: exit %d", code)
	}
	var list []status.Lane
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var l status.Lane
		if err := dec.Decode(&l); err != nil {
			r.Fatal(err)
		}
		if l.Vendor == vendor {
			list = append(list, l)
		}
	}
	return list
}

// pauses returns the pauses and stops of a vendor's apps.
func (r *rig) pauses(vendor string) []status.Pause {
	r.Helper()
	var list []status.Pause
	for _, app := range r.lanes(vendor)[0].Apps {
		list = append(list, app.Pauses...)
	}
	return list
}

// later counts a vendor's tasks that are not due yet.
func (r *rig) later(vendor string) int {
	r.Helper()
	n := 0
	for _, l := range r.lanes(vendor) {
		n += l.Later
	}
	return n
}
