package oppo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opGrant = "fetch access token"

// lifetime is that of an auth_token. The answer has only its creation time, by
// OPPO's clock: https://open.oppomobile.com/new/developmentDoc/info?id=11234
const lifetime = 24 * time.Hour

var errGrant = errors.New("a success without a usable auth_token")

// Grant makes one request for an access token, signed with the time now. OPPO accepts
// a time that is at most 10 minutes off its own.
func (a *adapter) Grant(ctx context.Context, now time.Time) (vendors.Grant, error) {
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	form := url.Values{
		"app_key":   {a.appKey},
		"timestamp": {timestamp},
		"sign":      {sign(a.appKey, timestamp, a.secret.Reveal())},
	}
	reply, err := a.post(ctx, opGrant, pathAuth, []byte(form.Encode()))
	if err != nil {
		return vendors.Grant{}, err
	}
	return readGrant(reply, a.secret.Reveal())
}

// sign returns the lower-case hex SHA-256 of the three, joined without separators.
func sign(appKey, timestamp, masterSecret string) string {
	sum := sha256.Sum256([]byte(appKey + timestamp + masterSecret))
	return hex.EncodeToString(sum[:])
}

// readGrant looks at the body's code first: failures come with HTTP 200.
func readGrant(reply httpx.Reply, secret string) (vendors.Grant, error) {
	e := parse(reply.Body)
	var data struct {
		AuthToken json.RawMessage `json:"auth_token"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		data.AuthToken = nil
	}
	access := name(data.AuthToken)
	switch code := codeOf(e.Code); {
	case code == "" && reply.Status/100 == 2:
		return vendors.Grant{}, vendors.MalformedError(opGrant, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.Grant{}, &vendors.Error{Op: opGrant, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.Grant{}, &vendors.Error{
			Op:         opGrant,
			Code:       classify.Code{Level: classify.Auth, Code: code, Text: vendorText(body.Decode(e.Message), nil, secret, access)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	case access == "":
		return vendors.Grant{}, vendors.MalformedError(opGrant, errGrant)
	}
	return vendors.Grant{Access: access, Lifetime: lifetime}, nil
}
