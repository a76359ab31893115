package tim

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

// userSig is what a UserSig holds: https://github.com/tencentyun/tls-sig-api-v2-golang
type userSig struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	AppID      int64  `json:"TLS.sdkappid"`
	Expire     int64  `json:"TLS.expire"`
	Time       int64  `json:"TLS.time"`
	Sig        string `json:"TLS.sig"`
}

var errSig = errors.New("not a UserSig")

// readSig decodes the vendor's own base64 and the compression.
func readSig(text string) (userSig, error) {
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(text))
	if err != nil {
		return userSig{}, errSig
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return userSig{}, errSig
	}
	plain, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil {
		return userSig{}, errSig
	}
	var s userSig
	if err := json.Unmarshal(plain, &s); err != nil || s.Version != "2.0" {
		return userSig{}, errSig
	}
	return s, nil
}

// mac is the signature of the other fields.
func (s userSig) mac(secret string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", s.Identifier, s.AppID, s.Time, s.Expire)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// authorize returns the code that refuses the caller, if any. A time in the future
// is not refused: the document does not mention it.
func (t player) authorize(c *play.Call, identifier, text string, cred play.Credential) string {
	if text == "" {
		c.Violate("usersig: is missing")
		return "70002"
	}
	if c.AnyCredentials() {
		return ""
	}
	sig, err := readSig(text)
	switch {
	case err != nil:
		c.Violate("usersig: cannot be decoded")
		return "70003"
	case strconv.FormatInt(sig.AppID, 10) != cred.App:
		c.Violate("usersig: is another app's")
		return "70014"
	case sig.Identifier != identifier:
		c.Violate("usersig: is another account's")
		return "70013"
	case sig.Sig != sig.mac(cred.Secret):
		c.Violate("usersig: was made with another key")
		return "70009"
	case c.Now.Unix() >= sig.Time+sig.Expire:
		return "70001" // not a violation: it was valid once
	case !t.admin(identifier):
		c.Violate("identifier: is not an administrator")
		return "60010"
	}
	return ""
}
