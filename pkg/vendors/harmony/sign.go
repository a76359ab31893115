package harmony

import (
	"context"
	"crypto/rsa"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

const opGrant = "sign access token"

// The audience and lifetime of a token. The document recommends an hour and allows a
// day at most.
// https://developer.huawei.com/consumer/cn/doc/harmonyos-guides/push-jwt-token
const (
	audience = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
	lifetime = time.Hour
)

var errNoKey = errors.New("the private key cannot be used")

// signer makes access tokens. It is immutable, and safe for concurrent use.
type signer struct {
	key    *rsa.PrivateKey
	keyID  string // the service account's key_id
	issuer string // its sub_account
}

// Grant signs an access token. Unlike that of other vendors it makes no request: the
// vendor accepts a token that the adapter signed. It is a grant nevertheless, so that
// the token is kept: signing with a key of 4,096 bits takes milliseconds, which is
// too much for each request.
func (a *adapter) Grant(_ context.Context, now time.Time) (vendors.Grant, error) {
	access, err := a.signer.sign(now)
	if err != nil {
		return vendors.Grant{}, &vendors.Error{Op: opGrant, Code: classify.Code{Level: classify.Auth, Code: "unsigned"}, Err: err}
	}
	return vendors.Grant{Access: access, Lifetime: lifetime}, nil
}

// sign returns a signed JWT. It uses MapClaims, since the library's own claims type
// would write aud as a list.
func (s signer) sign(now time.Time) (string, error) {
	if s.key == nil {
		return "", errNoKey
	}
	token := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims{
		"aud": audience,
		"iss": s.issuer,
		"iat": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
	})
	token.Header["kid"] = s.keyID
	access, err := token.SignedString(s.key)
	if err != nil {
		return "", errNoKey // the library's error may describe the key
	}
	return access, nil
}
