package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// statuses are those under which a code may not count a token as accepted or dead.
var statuses = []int{301, 400, 401, 403, 404, 429, 500, 502, 503}

// A 404 or 5xx with a JSON body that says 80300007 was seen behind a proxy.
func TestNoCodeDeliversOrDeletesAgainstItsHTTPStatus(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		bodies := map[string]string{}
		envelope, ofToken := b.fill(read(t, spec, "envelope.txt")), b.fill(read(t, spec, "token-envelope.txt"))
		for _, row := range append(rows(spec, classify.Response), rows(spec, classify.Token)...) {
			if (row.Class != classify.Success && row.Class != classify.TokenInvalid) || strings.HasPrefix(row.Code, saveCode) {
				continue
			}
			raw := envelope
			if row.Level == classify.Token {
				raw = ofToken
			}
			_, body, _ := strings.Cut(strings.ReplaceAll(raw, "%CODE%", row.Code), "\r\n\r\n")
			bodies[row.Key()] = body
		}
		if len(bodies) < 2 {
			t.Fatalf("%d codes to try", len(bodies))
		}
		for _, status := range statuses {
			for key, body := range bodies {
				b.answer(fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n%s", status, http.StatusText(status), body))
				answer, err := b.vendor.Send(t.Context(), b.request())
				if err != nil {
					if e := vendorError(t, err); e.Code.Level != classify.Transport {
						t.Errorf("HTTP %d with %s: %v", status, key, err)
					}
					continue
				}
				if answer.Status != status {
					t.Fatalf("HTTP %d with %s: the answer's status is %d", status, key, answer.Status)
				}
				believed := answer.Believed(spec.Codes)
				for _, c := range append(believed.Tokens, vendors.TokenCode{Code: believed.Code}) {
					if r, _ := spec.Codes.Lookup(c.Code.Level, c.Code.Code); r.Class == classify.Success || r.Class == classify.TokenInvalid {
						t.Errorf("HTTP %d with %s is %s, which is %s", status, key, c.Code, r.Class)
					}
				}
			}
		}
	})
}

func TestACodeThatDecidesNothingIsBelievedUnderAnyStatus(t *testing.T) {
	t.Parallel()
	table := classify.MustParse("nova", "level\tcode\tclass\tremedy\tscope\tmeaning\n"+
		"response\tok\tsuccess\tnone\tbatch\tfine\nresponse\tgone\ttoken-invalid\tdrop-token\ttoken\tgone\nresponse\tauth\tretryable\trefresh-auth\tapp\told\n")
	for code, want := range map[string]string{"ok": "http/403", "gone": "http/403", "auth": "response/auth", "new": "response/new"} {
		c := classify.Code{Level: classify.Response, Code: code}
		if got := vendors.Believed(table, http.StatusForbidden, c).String(); got != want {
			t.Errorf("%s under a 403 is %s, want %s", code, got, want)
		}
		for _, status := range []int{0, http.StatusOK, http.StatusNoContent} {
			if got := vendors.Believed(table, status, c); got != c {
				t.Errorf("%s under %d is %s", code, status, got)
			}
		}
	}
}
