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

// What a token says, and how long it lives: an hour is what the document
// recommends, a day the most.
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

// Grant signs an access token. Unlike other vendors' it makes no request: the
// vendor accepts the token as it is. It is a grant all the same, since signing
// with a key of 4,096 bits takes milliseconds, which is too much for each
// request; whoever keeps access tokens keeps this one too.
func (a *adapter) Grant(_ context.Context, now time.Time) (vendors.Grant, error) {
	access, err := a.signer.sign(now)
	if err != nil {
		return vendors.Grant{}, &vendors.Error{Op: opGrant, Code: classify.Code{Level: classify.Auth, Code: "unsigned"}, Err: err}
	}
	return vendors.Grant{Access: access, Lifetime: lifetime}, nil
}

// sign writes aud as a string: the library's own claims would make a list of it.
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
