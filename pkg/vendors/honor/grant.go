package honor

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const opGrant = "fetch access token"

// maxLifetime bounds what is believed of an access token's life; answers said 1 h.
const maxLifetime = 24 * time.Hour

var (
	errorForm = regexp.MustCompile(`^([0-9]{1,10}|[a-z_]{1,40})$`)
	errGrant  = errors.New("a successful HTTP status without a usable access_token and expires_in")
)

// grantAnswer is the token endpoint's answer, good or bad, in OAuth's form (RFC 6749).
type grantAnswer struct {
	AccessToken string          `json:"access_token"`
	ExpiresIn   json.RawMessage `json:"expires_in"`
	Error       json.RawMessage `json:"error"`
	Description string          `json:"error_description"`
}

// Grant makes one request for an access token, by client credentials.
func (a *adapter) Grant(ctx context.Context, _ time.Time) (vendors.Grant, error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {a.clientID},
		"client_secret": {a.secret.Reveal()},
	}
	req, err := vendors.Post(ctx, opGrant, a.grantURL, "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return vendors.Grant{}, err
	}
	reply, err := vendors.Do(a.client, opGrant, req)
	if err != nil {
		return vendors.Grant{}, err
	}
	return readGrant(reply, a.secret.Reveal())
}

// readGrant looks at the body first and at the HTTP status only when the body
// names no error.
func readGrant(reply vendors.Reply, secret string) (vendors.Grant, error) {
	var g grantAnswer
	if err := json.Unmarshal(reply.Body, &g); err != nil {
		g = grantAnswer{}
	}
	code, lifetime := body.Text(g.Error), body.Seconds(g.ExpiresIn, maxLifetime)
	switch {
	case code != "null" && errorForm.MatchString(code):
		return vendors.Grant{}, &vendors.Error{
			Op:         opGrant,
			Code:       classify.Code{Level: classify.Auth, Code: code, Text: vendors.Text(g.Description, secret, g.AccessToken)},
			RetryAfter: reply.RetryAfter,
		}
	case reply.Status/100 != 2:
		return vendors.Grant{}, &vendors.Error{Op: opGrant, Code: vendors.HTTPCode(reply.Status), RetryAfter: reply.RetryAfter}
	case lifetime <= 0 || !body.Printable(g.AccessToken):
		return vendors.Grant{}, vendors.MalformedError(opGrant, errGrant)
	}
	return vendors.Grant{Access: g.AccessToken, Lifetime: lifetime}, nil
}
