// Package oauth fetches access tokens with client credentials (RFC 6749, section
// 4.4), for the vendors that follow it: Huawei and Honor.
//
// It knows the request and both vendors' forms of the answer. It does not know
// what follows from an error, and keeps no access token.
package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const op = "fetch access token"

// maxLifetime is the longest lifetime of an access token that an answer may set;
// documents and answers say 1 h.
const maxLifetime = 24 * time.Hour

var (
	errorForm = regexp.MustCompile(`^([0-9]{1,10}|[a-z_]{1,40})$`)
	errGrant  = errors.New("a successful HTTP status without a usable access_token and expires_in")
)

// Client is an app's credentials at a token endpoint. It is immutable and safe for
// concurrent use.
type Client struct {
	HTTP   *http.Client
	URL    string // the whole URL of the endpoint
	ID     string
	Secret vendors.Secret
	Codes  *classify.Table // has a row error/sub_error for pairs with their own meaning
}

// answer is the endpoint's answer, a grant or an error. Only Huawei has sub_error:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/account-api-obtain-app-token
type answer struct {
	AccessToken string          `json:"access_token"`
	ExpiresIn   json.RawMessage `json:"expires_in"`
	Error       json.RawMessage `json:"error"`
	SubError    json.RawMessage `json:"sub_error"`
	Description string          `json:"error_description"`
}

// Grant makes one request for an access token. A refusal is a *vendors.Error.
func (c Client) Grant(ctx context.Context) (vendors.Grant, error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {c.ID},
		"client_secret": {c.Secret.Reveal()},
	}
	req, err := httpx.Post(ctx, op, c.URL, "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return vendors.Grant{}, err
	}
	reply, err := httpx.Do(c.HTTP, op, req)
	if err != nil {
		return vendors.Grant{}, err
	}
	return c.read(reply)
}

// read looks at the body before the status and the content type: an error with a
// JSON body and the content type text/html was seen.
func (c Client) read(reply httpx.Reply) (vendors.Grant, error) {
	var g answer
	if err := json.Unmarshal(reply.Body, &g); err != nil {
		g = answer{}
	}
	lifetime := body.Seconds(g.ExpiresIn, maxLifetime)
	switch code := c.code(g); {
	case code != "":
		return vendors.Grant{}, &vendors.Error{
			Op:         op,
			Code:       classify.Code{Level: classify.Auth, Code: code, Text: httpx.Redact(g.Description, c.Secret.Reveal(), g.AccessToken)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	case reply.Status/100 != 2:
		return vendors.Grant{}, &vendors.Error{Op: op, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case lifetime <= 0 || !body.Printable(g.AccessToken):
		return vendors.Grant{}, vendors.MalformedError(op, errGrant)
	}
	return vendors.Grant{Access: g.AccessToken, Lifetime: lifetime}, nil
}

// code returns the answer's error, or error/sub_error if the table has a row for
// the pair: Huawei's 1203 is a wrong client id, 1203/500 a temporary fault.
func (c Client) code(g answer) string {
	code := body.Decode(g.Error)
	if code == "null" || !errorForm.MatchString(code) {
		return ""
	}
	if sub := body.Decode(g.SubError); errorForm.MatchString(sub) {
		if _, known := c.Codes.Lookup(classify.Auth, code+"/"+sub); known {
			return code + "/" + sub
		}
	}
	return code
}
