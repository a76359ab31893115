package tim

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

// sigLife is how long a UserSig is used. It is valid for sigSpare longer, since the
// clocks of workers and Tencent differ. The server that makes it
// chooses the time; Tencent advises at least a day: https://cloud.tencent.com/document/product/269/32688
const (
	sigLife  = 24 * time.Hour
	sigSpare = time.Hour
)

// userSig is the document inside a UserSig.
type userSig struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	AppID      int64  `json:"TLS.sdkappid"`
	Expire     int64  `json:"TLS.expire"` // seconds
	Time       int64  `json:"TLS.time"`   // Unix seconds
	Sig        string `json:"TLS.sig"`
}

// Grant makes a UserSig from the secret key. It makes no request and never fails.
func (a *adapter) Grant(_ context.Context, now time.Time) (vendors.Grant, error) {
	return vendors.Grant{Access: a.userSig(now, sigLife+sigSpare), Lifetime: sigLife}, nil
}

// userSig returns a UserSig in Tencent's form: JSON, compressed, in its own base64.
// https://github.com/tencentyun/tls-sig-api-v2-golang
func (a *adapter) userSig(now time.Time, life time.Duration) string {
	doc := userSig{Version: "2.0", Identifier: a.identifier, AppID: a.appID, Expire: int64(life / time.Second), Time: now.Unix()}
	doc.Sig = doc.sign(a.secret)
	text, _ := json.Marshal(doc) // strings and numbers always marshal
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write(text) // Write and Close into a buffer do not fail
	_ = w.Close()
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func (u userSig) sign(secret vendors.Secret) string {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	_, _ = fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", u.Identifier, u.AppID, u.Time, u.Expire)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
