package dispatch_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// authorized makes the vendor one that needs access tokens.
func authorized(a *access) func(*rig) {
	return func(r *rig) {
		r.acct.Vendor = granter{r.vendor}
		r.cfg.Access = a
	}
}

func (r *rig) accesses() []string {
	var all []string
	for _, q := range r.vendor.seen() {
		all = append(all, q.Access)
	}
	return all
}

func TestAnExpiredAccessTokenIsRenewedInTheSameRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, authorized(&access{}))
	r.vendor.replies = []reply{say("expired")}
	tasks := r.separate(job("a", "t1", "t2"))
	if err := r.handle(tasks[0]); err != nil {
		t.Errorf("got %v, want it done in one run", err)
	}
	r.want("a", outcomes{wire.Delivered: 2})
	r.wantCodes("a", map[string]int{"nova/response/ok": 2})
	if got := r.accesses(); !slices.Equal(got, []string{"access-0", "access-1"}) {
		t.Errorf("access tokens were %v", got)
	}
}

// The request is made once more with a new token. Then an operator has to act, and the tokens wait.
func TestAnAccessTokenThatStaysRefusedStopsTheAccount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		access   *access
		requests int
	}{
		"a new one is refused as well": {&access{}, 2},
		"there is no new one":          {&access{stuck: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, authorized(c.access))
			r.vendor.always = say("expired")
			tasks := r.separate(job("a", "t1", "t2"))
			again := r.again(tasks[0])
			if again.Counted || again.At.Sub(r.clock.now()) < time.Minute {
				t.Errorf("put back until %v, counted=%v, want a minute at least and not counted", again.At, again.Counted)
			}
			if got := len(r.vendor.sizes()); got != c.requests {
				t.Errorf("%d requests were made, want %d", got, c.requests)
			}
			r.want("a", outcomes{wire.Pending: 2})
			if got := r.gate.signals(); !slices.Equal(got, []retry.Signal{retry.Misconfigured}) {
				t.Errorf("the gate was told %v, want once that the account is to stop", got)
			}
			if got := r.meter.again; got[classify.Config] != 2 || len(got) != 1 {
				t.Errorf("the meter counts %v put back, want 2 for config", got)
			}
			r.vendor.always = nil // an operator acted
			r.clock.forward(2 * time.Minute)
			r.finish(tasks...)
			r.want("a", outcomes{wire.Delivered: 2})
		})
	}
}

func TestARefusedGrantSendsNothingAndKeepsTheTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refusal error
		remedy  classify.Remedy
		wait    time.Duration // at least
		stops   bool
	}{
		"the secret is wrong": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: "denied"}}, classify.Config, time.Minute, true,
		},
		"a code that would drop the message": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: "wrong"}}, classify.Config, time.Minute, true,
		},
		"HTTP says unauthorized": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.HTTP, Code: "401"}}, classify.Config, time.Minute, true,
		},
		"too many grants": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: "flow"}, RetryAfter: 5 * time.Minute},
			classify.SlowDown, 5 * time.Minute, false,
		},
		"no connection": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Transport, Code: classify.Dial}}, classify.Backoff, 0, false,
		},
		"no answer": {
			&vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Transport, Code: classify.Timeout}}, classify.Backoff, 0, false,
		},
		"the store is away": {errors.New("read access token: redis is away"), classify.Backoff, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &access{refusal: c.refusal}
			r := newRig(t, authorized(a))
			j := job("a", "t1", "t2")
			j.Delivery = "at-most-once" // a grant that failed sent nothing: no outcome is unknown
			tasks := r.separate(j)
			again := r.again(tasks[0])
			if again.Counted || again.At.Sub(r.clock.now()) < c.wait {
				t.Errorf("put back for %v, counted=%v, want at least %v, and no attempt counted", again.At.Sub(r.clock.now()), again.Counted, c.wait)
			}
			if got := len(r.vendor.sizes()); got != 0 {
				t.Errorf("%d requests were made, want none", got)
			}
			r.want("a", outcomes{wire.Pending: 2})
			if got := r.meter.again; got[c.remedy] != 2 || len(got) != 1 {
				t.Errorf("the meter counts %v put back, want 2 for %s", got, c.remedy)
			}
			if got := slices.Contains(r.gate.signals(), retry.Misconfigured); got != c.stops {
				t.Errorf("the gate was told to stop the account: %v, want %v", got, c.stops)
			}
			a.refusal = nil
			r.clock.forward(again.At.Sub(r.clock.now()))
			r.finish(tasks...)
			r.want("a", outcomes{wire.Delivered: 2})
		})
	}
}

func TestConfigurationErrorsStopTheAccountAndKeepTheTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{say("rights")}
	tasks := r.separate(job("a", "t1", "t2"))
	if again := r.again(tasks[0]); again.Counted || again.At.Sub(r.clock.now()) < time.Minute {
		t.Errorf("put back until %v, counted=%v, want a minute at least and not counted", again.At, again.Counted)
	}
	if got := r.gate.signals(); !slices.Equal(got, []retry.Signal{retry.ParkOrStop}) {
		t.Errorf("the gate was told %v, want a configuration error once", got)
	}
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 2})
}

func TestTheMeterCountsWhatIsPutBackByItsOwnRemedy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.vendor.replies = []reply{but(map[string]string{"t1": "busy", "t2": "busy", "t3": "4711"})}
	r.again(r.separate(job("a", "t1", "t2", "t3", "t4"))[0])
	if got := r.meter.again; got[classify.Backoff] != 3 || len(got) != 1 {
		t.Errorf("the meter counts %v put back, want 3 for backoff", got)
	}
}

// uploading makes the vendor one that wants messages uploaded.
func uploading(s *uploader, n *uploadedIDs) func(*rig) {
	return func(r *rig) {
		s.vendor = r.vendor
		r.acct.Vendor, r.cfg.Uploaded = s, n
	}
}

func TestAMessageIsUploadedOnceForAllItsChunks(t *testing.T) {
	t.Parallel()
	s := &uploader{}
	r := newRig(t, uploading(s, &uploadedIDs{}), func(r *rig) { r.acct.Batch = 3 })
	r.vendor.replies = []reply{say("busy")}
	r.finish(r.separate(job("a", "t1", "t2", "t3", "t4", "t5", "t6", "t7"))...)
	r.want("a", outcomes{wire.Delivered: 7})
	if s.saves != 1 {
		t.Errorf("the message was uploaded %d times, want once", s.saves)
	}
	for _, q := range r.vendor.seen() {
		if want := map[bool]string{true: "saved-1"}[len(q.Tokens) > 1]; q.UploadID != want {
			t.Errorf("a request with %d tokens has the id %q, want %q", len(q.Tokens), q.UploadID, want)
		}
	}
}

func TestAMessageThatTheVendorLostIsUploadedOnceMore(t *testing.T) {
	t.Parallel()
	lost := func(q *vendors.Request) (vendors.Answer, error) {
		a, err := say("busy")(q)
		a.UploadGone = true
		return a, err
	}
	for name, c := range map[string]struct {
		replies []reply
		saves   int
		put     bool
	}{
		"and then it is there":  {[]reply{lost}, 2, false},
		"and then lost as well": {[]reply{lost, lost}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, n := &uploader{}, &uploadedIDs{}
			r := newRig(t, uploading(s, n))
			r.vendor.replies = c.replies
			err := r.handle(r.separate(job("a", "t1", "t2"))[0])
			if (err != nil) != c.put {
				t.Errorf("got %v, want it put back: %v", err, c.put)
			}
			if s.saves != c.saves || !slices.Equal(n.gone, []string{"saved-1"}) {
				t.Errorf("uploaded %d times, forgotten %v, want %d times and the first", s.saves, n.gone, c.saves)
			}
			if got := len(r.vendor.sizes()); got != 2 {
				t.Errorf("%d requests were made, want 2", got)
			}
		})
	}
}

func TestAMessageThatCannotBeUploadedIsNotSent(t *testing.T) {
	t.Parallel()
	s := &uploader{refusal: &vendors.Error{Op: "save", Code: classify.Code{Level: classify.Response, Code: "drop"}}}
	r := newRig(t, uploading(s, &uploadedIDs{}))
	r.finish(r.separate(job("a", "t1", "t2"))...)
	r.want("a", outcomes{wire.Dropped: 2})
	if got := len(r.vendor.sizes()); got != 0 {
		t.Errorf("%d requests were made, want none", got)
	}
}

// An upload whose answer was lost sent nothing to any phone.
func TestAnUploadWithoutAnswerLeavesNoOutcomeUnknown(t *testing.T) {
	t.Parallel()
	s := &uploader{refusal: &vendors.Error{Op: "save", Code: classify.Code{Level: classify.Transport, Code: classify.Timeout}}}
	r := newRig(t, uploading(s, &uploadedIDs{}))
	j := job("a", "t1", "t2")
	j.Delivery = "at-most-once"
	tasks := r.separate(j)
	r.again(tasks[0])
	s.refusal = nil
	r.finish(tasks...)
	r.want("a", outcomes{wire.Delivered: 2})
}
