package vivo

import (
	"context"
	"crypto/md5" // the vendor requires MD5, which protects no data of postrider
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opGrant = "fetch access token"

// lifetime is that of an authToken. An app may have several at once:
// https://dev.vivo.com.cn/documentCenter/doc/362
const lifetime = 24 * time.Hour

var errGrant = errors.New("a success without a usable authToken")

// grantRequest asks for an access token.
type grantRequest struct {
	AppID     json.Number `json:"appId"`
	AppKey    string      `json:"appKey"`
	Timestamp json.Number `json:"timestamp"` // ms
	Sign      string      `json:"sign"`
}

// Grant makes one request for an access token, signed with the time now. vivo accepts
// a time that is at most 10 minutes off its own.
func (a *adapter) Grant(ctx context.Context, now time.Time) (vendors.Grant, error) {
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	body, err := body.Encode(grantRequest{
		AppID: json.Number(a.appID), AppKey: a.appKey, Timestamp: json.Number(timestamp),
		Sign: sign(a.appID, a.appKey, timestamp, a.secret.Reveal()),
	})
	if err != nil {
		return vendors.Grant{}, vendors.UnsentError(opGrant, err)
	}
	reply, err := a.post(ctx, opGrant, pathAuth, "", body)
	if err != nil {
		return vendors.Grant{}, err
	}
	return readGrant(reply, a.secret.Reveal())
}

// sign returns the lower-case hex MD5 of the four, joined without separators.
func sign(appID, appKey, timestamp, appSecret string) string {
	sum := md5.Sum([]byte(appID + appKey + timestamp + appSecret))
	return hex.EncodeToString(sum[:])
}

// readGrant looks at the body's result first: failures come with HTTP 200.
func readGrant(reply httpx.Reply, secret string) (vendors.Grant, error) {
	e := parse(reply.Body)
	access := name(e.AuthToken)
	switch code := codeOf(e.Result); {
	case code == "" && reply.Status/100 == 2:
		return vendors.Grant{}, vendors.MalformedError(opGrant, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.Grant{}, &vendors.Error{Op: opGrant, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.Grant{}, &vendors.Error{
			Op:         opGrant,
			Code:       classify.Code{Level: classify.Auth, Code: code, Text: httpx.RedactAnswer(text(e.Desc), nil, secret, access)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	case access == "":
		return vendors.Grant{}, vendors.MalformedError(opGrant, errGrant)
	}
	return vendors.Grant{Access: access, Lifetime: lifetime}, nil
}
