package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// reply is one answer of the fake vendor.
type reply func(r *vendors.Request) (vendors.Answer, error)

// vendor answers requests by its replies in turn, then with success.
type vendor struct {
	mu       sync.Mutex
	replies  []reply
	always   reply // instead of success
	requests []vendors.Request
}

func (v *vendor) Send(_ context.Context, r *vendors.Request) (vendors.Answer, error) {
	return v.next(r)(r)
}

func (v *vendor) next(r *vendors.Request) reply {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, *r)
	switch {
	case len(v.replies) > 0:
		now := v.replies[0]
		v.replies = v.replies[1:]
		return now
	case v.always != nil:
		return v.always
	}
	return say("ok")
}

// sizes are the numbers of tokens of the requests so far.
func (v *vendor) sizes() []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]int, len(v.requests))
	for i, r := range v.requests {
		out[i] = len(r.Tokens)
	}
	return out
}

func (v *vendor) seen() []vendors.Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

// say answers every token with a code of level response.
func say(code string) reply {
	return func(*vendors.Request) (vendors.Answer, error) {
		return vendors.Answer{Code: classify.Code{Level: classify.Response, Code: code}}, nil
	}
}

// but answers success, and another code of level token for the tokens named.
func but(codes map[string]string) reply {
	return func(r *vendors.Request) (vendors.Answer, error) {
		a, _ := say("ok")(r)
		for i, t := range r.Tokens {
			if code, ok := codes[t]; ok {
				a.Tokens = append(a.Tokens, vendors.TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: code}})
			}
		}
		return a, nil
	}
}

// fail gives no answer.
func fail(level classify.Level, code string) reply {
	return func(*vendors.Request) (vendors.Answer, error) {
		return vendors.Answer{}, &vendors.Error{Op: "send", Code: classify.Code{Level: level, Code: code}, Err: errors.New("no answer")}
	}
}

// after asks to wait.
func after(wait time.Duration, code string) reply {
	return func(r *vendors.Request) (vendors.Answer, error) {
		a, err := say(code)(r)
		a.RetryAfter = wait
		return a, err
	}
}

// answerWhen sends to began when the request is made, and answers once release is closed.
func answerWhen(began chan<- struct{}, release <-chan struct{}, then reply) reply {
	return func(r *vendors.Request) (vendors.Answer, error) {
		began <- struct{}{}
		<-release
		return then(r)
	}
}

// gate lets everything through, unless admit says otherwise.
type gate struct {
	mu       sync.Mutex
	admit    func() (time.Duration, string, error)
	closed   map[string]time.Time                              // buckets that are paused
	paused   map[string]time.Time                              // apps that are
	limited  func(a *account.Account, units int) time.Duration // the wait for the rate limit; nil: none
	place    func(dispatch.Waiting) time.Duration
	probe    string // what admissions have
	units    []int
	told     []dispatch.Finding
	park     func(dispatch.Finding) time.Duration // how long a finding parks its jobs; nil: it parks none
	parked   map[string]time.Time
	clock    func() time.Time     // nil: time.Now
	answered []dispatch.Admission // those of requests whose answers it was told
	done     []string             // probes that are over
}

func (g *gate) Admit(_ context.Context, a *account.Account, l dispatch.Demand) (dispatch.Admission, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := time.Until(g.paused[a.App]); left > 0 {
		return dispatch.Admission{Wait: left, Why: "paused", Paused: true}, nil
	}
	if g.admit != nil {
		if wait, why, err := g.admit(); wait > 0 || err != nil {
			return dispatch.Admission{Wait: wait, Why: why}, err
		}
	}
	for _, b := range l.Buckets {
		if left := time.Until(g.closed[b]); left > 0 {
			return dispatch.Admission{Wait: left, Why: b}, nil
		}
	}
	if g.limited != nil {
		if wait := g.limited(a, l.Units); wait > 0 {
			return dispatch.Admission{Wait: wait, Why: "waiting for the rate limit", Limited: true}, nil
		}
	}
	g.units = append(g.units, l.Units)
	return dispatch.Admission{Buckets: l.Buckets, Probe: g.probe}, nil
}

func (g *gate) Place(_ context.Context, _ *account.Account, w dispatch.Waiting) (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.place(w), nil
}

func (g *gate) Answered(_ context.Context, _ *account.Account, t dispatch.Admission, findings []dispatch.Finding) []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = append(g.told, findings...)
	g.answered = append(g.answered, t)
	parked := make([]time.Time, len(findings))
	for i, f := range findings {
		if g.park == nil || !f.Signal.Parks() {
			continue
		}
		parked[i] = g.now().Add(g.park(f))
		for _, j := range f.Jobs {
			g.parked[j.ID] = parked[i]
		}
	}
	return parked
}

func (g *gate) now() time.Time {
	if g.clock == nil {
		return time.Now()
	}
	return g.clock()
}

// Parked and Try know what park parked; a job is tried by the request that asks
// first when its wait is over.
func (g *gate) Parked(_ context.Context, _ *account.Account, jobs func() []string) (map[string]time.Time, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := map[string]time.Time{}
	for _, j := range jobs() {
		if until, ok := g.parked[j]; ok {
			found[j] = until
		}
	}
	return found, nil
}

func (g *gate) Try(ctx context.Context, a *account.Account, t *dispatch.Admission, jobs func() []string) (map[string]time.Time, error) {
	found, _ := g.Parked(ctx, a, jobs)
	for j, until := range found {
		if !until.After(g.now()) {
			delete(found, j)
			t.JobProbe, t.Tried = "probe-of-"+j, append(t.Tried, j)
		}
	}
	return found, nil
}

func (g *gate) Done(_ context.Context, _ *account.Account, t dispatch.Admission) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.Probe != "" {
		g.done = append(g.done, t.Probe)
	}
}

// signals are those that the gate was told.
func (g *gate) signals() []retry.Signal {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]retry.Signal, len(g.told))
	for i, f := range g.told {
		out[i] = f.Signal
	}
	return out
}

// meter counts like the real one.
type meter struct {
	mu       sync.Mutex
	requests int
	outcomes map[wire.Outcome]int
	again    map[classify.Remedy]int
	// fed and quarantined are entries; skipped are tokens.
	fed, quarantined, skipped int
	recovered                 map[string]int
}

func newMeter() *meter {
	return &meter{outcomes: map[wire.Outcome]int{}, again: map[classify.Remedy]int{}, recovered: map[string]int{}}
}

func (m *meter) Request(*account.Account, classify.Row, int, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
}

func (m *meter) Outcome(_, _ string, o wire.Outcome, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outcomes[o] += n
}

func (m *meter) Again(_, _ string, remedy classify.Remedy, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again[remedy] += n
}

func (m *meter) Invalid(_, _ string, n int, quarantined bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if quarantined {
		m.quarantined += n
	} else {
		m.fed += n
	}
}

func (m *meter) Skipped(_, _ string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skipped += n
}

func (m *meter) Recovered(reason string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recovered[reason] += n
}

// granter is a vendor whose requests carry an access token.
type granter struct{ *vendor }

func (granter) Grant(context.Context, time.Time) (vendors.Grant, error) {
	return vendors.Grant{}, errors.New("only the store of access tokens grants")
}

// access returns tokens that are numbered by how often they were invalidated.
type access struct {
	mu      sync.Mutex
	n       int
	stuck   bool // returns the same token for ever
	refusal error
}

func (a *access) Access(context.Context, string, string, vendors.Granter, string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusal != nil {
		return "", a.refusal
	}
	return fmt.Sprint("access-", a.n), nil
}

func (a *access) Invalidate(_ context.Context, _, _, token string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stuck && token == fmt.Sprint("access-", a.n) {
		a.n++
	}
	return nil
}

// uploader is a vendor that wants messages to more than one token uploaded first.
type uploader struct {
	*vendor
	saves   int
	refusal error
}

func (*uploader) NeedsUpload(r *vendors.Request) bool { return len(r.Tokens) > 1 }

func (s *uploader) Upload(context.Context, *vendors.Request) (vendors.Uploaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return vendors.Uploaded{}, s.refusal
	}
	s.saves++
	return vendors.Uploaded{ID: fmt.Sprint("saved-", s.saves), Lifetime: time.Hour}, nil
}

// uploadedIDs keeps the ids of uploaded messages in memory.
type uploadedIDs struct {
	mu   sync.Mutex
	ids  map[upload.Message]string
	gone []string
}

func (n *uploadedIDs) ID(ctx context.Context, m upload.Message, save func(context.Context) (vendors.Uploaded, error)) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.ids[m]; ok {
		return id, nil
	}
	got, err := save(ctx)
	if err != nil {
		return "", err
	}
	if n.ids == nil {
		n.ids = map[upload.Message]string{}
	}
	n.ids[m] = got.ID
	return got.ID, nil
}

func (n *uploadedIDs) Forget(_ context.Context, m upload.Message, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ids[m] == id {
		delete(n.ids, m)
	}
	n.gone = append(n.gone, id)
	return nil
}

// mixedSender is a vendor that takes different messages in one request.
type mixedSender struct {
	*vendor
	batches [][]vendors.Request
	many    func(rs []*vendors.Request) (vendors.Answer, error) // nil: success
}

func (m *mixedSender) SendMixed(_ context.Context, rs []*vendors.Request) (vendors.Answer, error) {
	m.mu.Lock()
	batch := make([]vendors.Request, len(rs))
	for i, r := range rs {
		batch[i] = *r
	}
	m.batches = append(m.batches, batch)
	m.mu.Unlock()
	if m.many != nil {
		return m.many(rs)
	}
	return say("ok")(nil)
}
