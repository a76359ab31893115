package simulator

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
)

// timSig is what a UserSig holds: https://github.com/tencentyun/tls-sig-api-v2-golang
type timSig struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	AppID      int64  `json:"TLS.sdkappid"`
	Expire     int64  `json:"TLS.expire"`
	Time       int64  `json:"TLS.time"`
	Sig        string `json:"TLS.sig"`
}

var errTIMSig = errors.New("not a UserSig")

// readTIMSig undoes the vendor's own base64 and the compression.
func readTIMSig(text string) (timSig, error) {
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(text))
	if err != nil {
		return timSig{}, errTIMSig
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return timSig{}, errTIMSig
	}
	plain, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil {
		return timSig{}, errTIMSig
	}
	var s timSig
	if err := json.Unmarshal(plain, &s); err != nil || s.Version != "2.0" {
		return timSig{}, errTIMSig
	}
	return s, nil
}

// mac is the signature that goes with the rest.
func (s timSig) mac(secret string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", s.Identifier, s.AppID, s.Time, s.Expire)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// authorize returns the code that refuses the caller, if any. One whose clock
// is ahead is not refused: the document says nothing of it.
func (t timPlayer) authorize(c *call, identifier, text string, cred Credential) string {
	if text == "" {
		c.violate("usersig: is missing")
		return "70002"
	}
	if c.p.apps.any {
		return ""
	}
	sig, err := readTIMSig(text)
	switch {
	case err != nil:
		c.violate("usersig: cannot be read")
		return "70003"
	case strconv.FormatInt(sig.AppID, 10) != cred.App:
		c.violate("usersig: is another app's")
		return "70014"
	case sig.Identifier != identifier:
		c.violate("usersig: is another account's")
		return "70013"
	case sig.Sig != sig.mac(cred.Secret):
		c.violate("usersig: was made with another key")
		return "70009"
	case c.now.Unix() >= sig.Time+sig.Expire:
		return "70001" // it was good once: no fault of the client's
	case !t.admin(identifier):
		c.violate("identifier: is no administrator")
		return "60010"
	}
	return ""
}
