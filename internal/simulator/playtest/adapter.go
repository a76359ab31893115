package playtest

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const requestKey = "0123456789abcdef0123456789abcdef"

// Adapter is a real adapter in front of a server that plays its vendor.
type Adapter struct {
	*play.Server
	vendors.Vendor
	t    *testing.T
	name string
}

// NewAdapter opens an adapter with settings for the server's base URL.
func NewAdapter(t *testing.T, o play.Options, player play.Vendor, settings func(base string) vendors.Settings) Adapter {
	t.Helper()
	s := play.NewServer(o, player)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := httpx.NewClient(8)
	t.Cleanup(client.CloseIdleConnections)
	own := settings(server.URL)
	if faults := own.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	return Adapter{s, own.Open(client), t, player.Name}
}

// DemoSettings returns what NewAdapter opens: the settings of a vendor's demo, changed
// by some.
func DemoSettings[S vendors.Settings](t *testing.T, spec vendors.Spec, changes ...func(S)) func(base string) vendors.Settings {
	t.Helper()
	return func(base string) vendors.Settings {
		s := spec.Settings()
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(spec.Demo, "%BASE%", base)), s); err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			change(s.(S))
		}
		return s
	}
}

// Request returns a request that is ready to be sent: with an access token, and
// saved, where the adapter needs that.
func (a Adapter) Request(m *push.Message, tokens ...string) *vendors.Request {
	a.t.Helper()
	r := &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: requestKey, Now: a.Now()}
	if granter, ok := a.Vendor.(vendors.Granter); ok {
		grant, err := granter.Grant(a.t.Context(), a.Now())
		if err != nil {
			a.t.Fatal(err)
		}
		r.Access = grant.Access
	}
	a.Save(r)
	return r
}

// Save saves a request's message at the vendor, where the adapter needs that.
func (a Adapter) Save(r *vendors.Request) {
	a.t.Helper()
	saver, ok := a.Vendor.(vendors.Uploader)
	if !ok || !saver.NeedsUpload(r) {
		return
	}
	saved, err := saver.Upload(a.t.Context(), r)
	if err != nil {
		a.t.Fatal(err)
	}
	r.UploadID = saved.ID
}

// Said lists an answer's code and the codes of its tokens, or the error.
func (a Adapter) Said(answer vendors.Answer, err error) []string {
	if err != nil {
		return []string{err.Error()}
	}
	list := []string{answer.Code.String()}
	for _, tc := range answer.Tokens {
		list = append(list, fmt.Sprint(tc.Index, " ", tc.Code))
	}
	return list
}

// Outcome sends a message and returns the answer's code and the codes of its tokens;
// "refused" or "error" and the code, if the vendor grants no access token or there is
// no answer.
func (a Adapter) Outcome(m *push.Message, tokens ...string) string {
	a.t.Helper()
	r := &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: requestKey, Now: a.Now()}
	var failure *vendors.Error
	if granter, ok := a.Vendor.(vendors.Granter); ok {
		grant, err := granter.Grant(a.t.Context(), r.Now)
		if errors.As(err, &failure) {
			return "refused " + failure.Code.String()
		}
		r.Access = grant.Access
	}
	answer, err := a.Send(a.t.Context(), r)
	if errors.As(err, &failure) {
		return "error " + failure.Code.String()
	}
	return strings.Join(a.Said(answer, err), " ")
}

// WantReport checks how many tokens were accepted and how many violations there are.
func (a Adapter) WantReport(accepted, violations int64) {
	a.t.Helper()
	r := a.Report()
	v := r.Vendors[a.name]
	if v.Accepted != accepted || r.Violations() != violations {
		a.t.Errorf("got %d accepted and %d violations, want %d and %d: %v %v", v.Accepted, r.Violations(), accepted, violations, v.Violations, r.Strays)
	}
}

// WantViolations checks how many violations there are.
func (a Adapter) WantViolations(want int64) {
	a.t.Helper()
	if r := a.Report(); r.Violations() != want {
		a.t.Errorf("got %d violations, want %d: %v %v", r.Violations(), want, r.Vendors[a.name].Violations, r.Strays)
	}
}

// Numbered returns n tokens, made by a format with one number.
func Numbered(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}
