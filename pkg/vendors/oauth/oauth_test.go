package oauth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

var testClient = Client{Secret: vendors.NewSecret("the-client-secret"), Codes: classify.MustParse("nova", strings.Join([]string{
	"level\tcode\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\tmeaning\tsource",
	"auth\t1203\tpermanent\tconfig\tapp\t-\t-\t-\t-\ta wrong client id\ttest",
	"auth\t1203/500\tretryable\tbackoff\tapp\t-\t-\t-\t-\ta temporary fault\ttest",
}, "\n"))}

func TestTheLifetimeIsBounded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expires string
		want    time.Duration // 0: refused
	}{
		"an hour":                       {"3600", time.Hour},
		"a string":                      {`"60"`, time.Minute},
		"longer than a day":             {"9000000000", 24 * time.Hour},
		"more than a duration can hold": {"99999999999999999999", 0},
		"negative":                      {"-1", 0},
		"a fraction":                    {"3600.5", 0},
		"null":                          {"null", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := testClient.read(httpx.Reply{Status: 200, Body: []byte(`{"access_token":"a","expires_in":` + tt.expires + `}`)})
			if got.Lifetime != tt.want || (err != nil) != (tt.want == 0) {
				t.Errorf("got %v (%v), want %v", got.Lifetime, err, tt.want)
			}
		})
	}
}

func TestAnErrorWinsOverAToken(t *testing.T) {
	t.Parallel()
	_, err := testClient.read(httpx.Reply{Status: 200, Body: []byte(`{"access_token":"a","expires_in":3600,"error":1101,"sub_error":12304}`)})
	var e *vendors.Error
	if !errors.As(err, &e) || e.Code.String() != "auth/1101" {
		t.Errorf("got %v, want auth/1101", err)
	}
}

func TestASubErrorCountsIfTheTableHasThePair(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"error":1203,"sub_error":500}`:                   "auth/1203/500",
		`{"error":1203,"sub_error":501}`:                   "auth/1203",
		`{"error":"1203"}`:                                 "auth/1203",
		`{"error":"invalid_client","sub_error":null}`:      "auth/invalid_client",
		`{"error":"Bad Request","status":400}`:             "http/400",
		`{"error":null,"access_token":"a","expires_in":0}`: "http/400",
	} {
		_, err := testClient.read(httpx.Reply{Status: 400, Body: []byte(answer)})
		var e *vendors.Error
		if !errors.As(err, &e) || e.Code.String() != want {
			t.Errorf("%s: got %v, want %s", answer, err, want)
		}
	}
}

func TestAClientPrintsNoSecret(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if said := fmt.Sprintf(verb, testClient); strings.Contains(said, "client-secret") {
			t.Errorf("%s prints %s", verb, said)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"CV0kkX7yVJZcTi1i+uk\/Mw","expires_in":3600,"token_type":"Bearer"}`,
		`{"sub_error":12304,"error_description":"invalid client_secret","error":1101}`,
		`{"sub_error":57303,"error_description":"appid is overload blocked","error":1302}`,
		`{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`,
		`{"status":400,"error":"Bad Request"}`, `{"error":"invalid_client"}`, `<html>`, ``, `null`,
	} {
		f.Add(200, []byte(seed))
		f.Add(400, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, answer []byte) {
		g, err := testClient.read(httpx.Reply{Status: status, Body: answer})
		if err != nil {
			var e *vendors.Error
			if !errors.As(err, &e) || e.Code.Code == "" || strings.Contains(err.Error(), "the-client-secret") {
				t.Errorf("got %v, want a *vendors.Error with a code and without the secret", err)
			}
			return
		}
		if !body.Printable(g.Access) || g.Lifetime <= 0 || g.Lifetime > maxLifetime || status/100 != 2 {
			t.Errorf("granted %q for %v under HTTP %d", g.Access, g.Lifetime, status)
		}
	})
}
