package simulator

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"
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
			r := newRig(t, Options{})
			form := url.Values{}
			maps.Copy(form, right)
			form.Set(tt.field, tt.value)
			got := r.askToken(form)
			if got.status != 400 || got.body != "{"+tt.want+"}" {
				t.Errorf("got %d %s, want 400 {%s}", got.status, got.body, tt.want)
			}
			if got.contentType != "text/html;charset=UTF-8" {
				t.Errorf("content type: got %q, want that of a page, as seen live", got.contentType)
			}
			r.wantViolations(1)
		})
	}
}

func TestHuaweiGrantsTokensThatCarelessClientsMangle(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{TokenLife: 90 * time.Second})
	got := r.askToken(url.Values{"grant_type": {"client_credentials"}, "client_id": {"100001"}, "client_secret": {"demo-secret"}})
	for _, want := range []string{`CV0\/+`, `="`, `"expires_in":90,`, `"token_type":"Bearer"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("got %s, want %s in it", got.body, want)
		}
	}
	if strings.Contains(strings.ReplaceAll(got.body, `\/`, ""), "/") {
		t.Errorf("got %s, want every slash escaped", got.body)
	}
	mangled := strings.ReplaceAll(r.token(), "/", `\/`)
	r.wantViolations(0)
	r.wantCode("a token with its escapes left in", r.send(mangled, good("a")), 401, "80200003")
	r.wantViolations(1)
}

func TestHuaweiRefusesAnOddTokenRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	form := "grant_type=client_credentials&client_id=100001&client_secret=demo-secret"
	if got := r.must("GET", "/oauth2/v3/token?"+form, "", nil); got.status != 405 {
		t.Errorf("GET: got %d, want 405", got.status)
	}
	if got := r.must("POST", "/oauth2/v3/token", form, map[string]string{"Content-Type": "application/json"}); got.status != 400 {
		t.Errorf("form under a JSON content type: got %d, want 400", got.status)
	}
	if got := r.must("POST", "/oauth2/v2/token", form, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}); got.status != 200 {
		t.Errorf("the older path: got %d %s, want 200", got.status, got.body)
	}
}

func TestHuaweiHoldsGrantsBackForTheRestOfTheWindow(t *testing.T) {
	t.Parallel()
	clk := newClock()
	r := newRig(t, Options{Now: clk.now, Grants: 2})
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
		clk.pass(step.wait)
		if got := r.askToken(form); !strings.Contains(got.body, step.want) {
			t.Errorf("grant %d: got %s, want %s", i+1, got.body, step.want)
		}
	}
	if got := r.Report().Vendors["huawei"].Grants; got != 4 {
		t.Errorf("got %d grants, want 4", got)
	}
}

func TestAccessTokensEnd(t *testing.T) {
	t.Parallel()
	two := map[string][]Credential{"huawei": {{App: "1", Secret: "s1"}, {App: "100001", Secret: "s2"}}}
	tests := []struct {
		name string
		opt  Options
		end  func(r *rig, clk *clock)
		want string // "" is success
	}{
		{"not before their time", Options{}, func(_ *rig, c *clock) { c.pass(time.Hour - time.Second) }, ""},
		{"when their time is over", Options{}, func(_ *rig, c *clock) { c.pass(time.Hour) }, "80200003"},
		{"when all are revoked", Options{}, func(r *rig, _ *clock) { r.RevokeAccessTokens("") }, "80200001"},
		{"when the vendor's are revoked", Options{}, func(r *rig, _ *clock) { r.RevokeAccessTokens("huawei") }, "80200001"},
		{"not when another vendor's are revoked", Options{}, func(r *rig, _ *clock) { r.RevokeAccessTokens("oppo") }, ""},
		{"not with the next grant", Options{}, func(r *rig, _ *clock) { r.tokenOf("100001", "s2") }, ""},
		{"with the next grant where asked for", Options{InvalidateOldOnGrant: true}, func(r *rig, _ *clock) { r.tokenOf("100001", "s2") }, "80200001"},
		{"not with another app's grant", Options{InvalidateOldOnGrant: true}, func(r *rig, _ *clock) { r.tokenOf("1", "s1") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			tt.opt.Now, tt.opt.Credentials = clk.now, two
			r := newRig(t, tt.opt)
			token := r.tokenOf("100001", "s2")
			tt.end(r, clk)
			if tt.want == "" {
				r.wantCode("send", r.send(token, good("a")), 200, "80000000")
			} else {
				r.wantCode("send", r.send(token, good("a")), 401, tt.want)
			}
			r.wantViolations(0)
		})
	}
}
