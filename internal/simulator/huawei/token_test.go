package huawei

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestHuaweiDeniesAGrantWithItsPairOfCodes(t *testing.T) {
	t.Parallel()
	right := url.Values{"grant_type": {"client_credentials"}, "client_id": {"100001"}, "client_secret": {"demo-secret"}}
	tests := []struct {
		name, field, value, want string
	}{
		{"grant type is missing", "grant_type", "", `"sub_error":20181,"error_description":"grant_type is empty","error":1102`},
		{"grant type is wrong", "grant_type", "password", `"sub_error":20182,"error_description":"unsupported grant_type","error":1101`},
		{"client id is missing", "client_id", "", `"sub_error":20001,"error_description":"client_id is empty","error":1102`},
		{"client id is malformed", "client_id", "abc", `"sub_error":20002,"error_description":"invalid client_id","error":1101`},
		{"client id is unknown", "client_id", "42", `"sub_error":12303,"error_description":"client_id does not exist","error":1203`},
		{"secret is missing", "client_secret", "", `"sub_error":20171,"error_description":"client_secret is empty","error":1101`},
		{"secret is malformed", "client_secret", "a b", `"sub_error":20172,"error_description":"invalid client_secret format","error":1101`},
		// The answer that the account service's document quotes.
		{"secret is wrong", "client_secret", "wrong", `"sub_error":12304,"error_description":"invalid client_secret","error":1101`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			form := url.Values{}
			maps.Copy(form, right)
			form.Set(tt.field, tt.value)
			got := r.AskHuaweiToken(form)
			if got.Status != 400 || got.Body != "{"+tt.want+"}" {
				t.Errorf("got %d %s, want 400 {%s}", got.Status, got.Body, tt.want)
			}
			if got.ContentType != "text/html;charset=UTF-8" {
				t.Errorf("content type: got %q, want that of a page, as seen live", got.ContentType)
			}
			r.WantViolations(1)
		})
	}
}

func TestHuaweiGrantsTokensThatCarelessClientsDamage(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{TokenLife: 90 * time.Second}, New(Options{}))
	got := r.AskHuaweiToken(url.Values{"grant_type": {"client_credentials"}, "client_id": {"100001"}, "client_secret": {"demo-secret"}})
	for _, want := range []string{`CV0\/+`, `="`, `"expires_in":90,`, `"token_type":"Bearer"`} {
		if !strings.Contains(got.Body, want) {
			t.Errorf("got %s, want %s in it", got.Body, want)
		}
	}
	if strings.Contains(strings.ReplaceAll(got.Body, `\/`, ""), "/") {
		t.Errorf("got %s, want every slash escaped", got.Body)
	}
	mangled := strings.ReplaceAll(r.HuaweiToken(), "/", `\/`)
	r.WantViolations(0)
	r.WantHuaweiCode("a token with its escapes left in", r.HuaweiSend(mangled, playtest.HuaweiMessage("a")), 401, "80200003")
	r.WantViolations(1)
}

func TestHuaweiRefusesAnOddTokenRequest(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	form := "grant_type=client_credentials&client_id=100001&client_secret=demo-secret"
	if got := r.Must("GET", "/oauth2/v3/token?"+form, "", nil); got.Status != 405 {
		t.Errorf("GET: got %d, want 405", got.Status)
	}
	if got := r.Must("POST", "/oauth2/v3/token", form, map[string]string{"Content-Type": "application/json"}); got.Status != 400 {
		t.Errorf("form under a JSON content type: got %d, want 400", got.Status)
	}
	if got := r.Must("POST", "/oauth2/v2/token", form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}); got.Status != 200 {
		t.Errorf("the older path: got %d %s, want 200", got.Status, got.Body)
	}
}

func TestHuaweiRefusesGrantsForTheRestOfTheWindow(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	r := playtest.New(t, play.Options{Now: clk.Now, Grants: 2}, New(Options{}))
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"100001"}, "client_secret": {"demo-secret"}}
	for i, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "access_token"},
		{4 * time.Minute, "access_token"},
		{0, `{"sub_error":57303,"error_description":"appid is overload blocked","error":1302}`},
		{59 * time.Second, `"error":1302`},
		{time.Second, "access_token"},
		{0, "access_token"},
		{0, `"error":1302`},
	} {
		clk.Pass(step.wait)
		if got := r.AskHuaweiToken(form); !strings.Contains(got.Body, step.want) {
			t.Errorf("grant %d: got %s, want %s", i+1, got.Body, step.want)
		}
	}
	if got := r.Report().Vendors["huawei"].Grants; got != 4 {
		t.Errorf("got %d grants, want 4", got)
	}
}

func TestAccessTokensEnd(t *testing.T) {
	t.Parallel()
	two := map[string][]play.Credential{"huawei": {{App: "1", Secret: "s1"}, {App: "100001", Secret: "s2"}}}
	tests := []struct {
		name string
		opt  play.Options
		end  func(r *playtest.Rig, clk *playtest.Clock)
		want string // "" is success
	}{
		{"not before their time", play.Options{}, func(_ *playtest.Rig, c *playtest.Clock) { c.Pass(time.Hour - time.Second) }, ""},
		{"when their time is over", play.Options{}, func(_ *playtest.Rig, c *playtest.Clock) { c.Pass(time.Hour) }, "80200003"},
		{"when all are revoked", play.Options{}, func(r *playtest.Rig, _ *playtest.Clock) { r.RevokeAccessTokens("") }, "80200001"},
		{"when the vendor's are revoked", play.Options{}, func(r *playtest.Rig, _ *playtest.Clock) { r.RevokeAccessTokens("huawei") }, "80200001"},
		{"not when another vendor's are revoked", play.Options{}, func(r *playtest.Rig, _ *playtest.Clock) { r.RevokeAccessTokens("oppo") }, ""},
		{"not with the next grant", play.Options{}, func(r *playtest.Rig, _ *playtest.Clock) { r.HuaweiTokenOf("100001", "s2") }, ""},
		{"with the next grant where asked for", play.Options{InvalidateOldOnGrant: true}, func(r *playtest.Rig, _ *playtest.Clock) { r.HuaweiTokenOf("100001", "s2") }, "80200001"},
		{"not with another app's grant", play.Options{InvalidateOldOnGrant: true}, func(r *playtest.Rig, _ *playtest.Clock) { r.HuaweiTokenOf("1", "s1") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := playtest.NewClock()
			tt.opt.Now, tt.opt.Credentials = clk.Now, two
			r := playtest.New(t, tt.opt, New(Options{}))
			token := r.HuaweiTokenOf("100001", "s2")
			tt.end(r, clk)
			if tt.want == "" {
				r.WantHuaweiCode("send", r.HuaweiSend(token, playtest.HuaweiMessage("a")), 200, "80000000")
			} else {
				r.WantHuaweiCode("send", r.HuaweiSend(token, playtest.HuaweiMessage("a")), 401, tt.want)
			}
			r.WantViolations(0)
		})
	}
}
