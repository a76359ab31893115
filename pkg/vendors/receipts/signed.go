package receipts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

// VerifySigned reports whether a header of the following form has the right
// signature:
//
//	timestamp=<Unix ms>; nonce=<any>; value=<base64>
//
// The value is the HMAC-SHA256 of timestamp, nonce and user, joined. The body is
// not signed: a recorded header is valid for any body, so it is accepted only for
// a short time (see vendors.ReceiptCall.Within).
func VerifySigned(c *vendors.ReceiptCall, header string) bool {
	parts := map[string]string{}
	for part := range strings.SplitSeq(c.Header.Get(header), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=") // base64 ends in = itself
		parts[name] = value
	}
	ms, err := strconv.ParseInt(parts["timestamp"], 10, 64)
	got, bad := base64.StdEncoding.DecodeString(parts["value"])
	if err != nil || bad != nil || len(c.Key) == 0 || !c.Within(time.UnixMilli(ms)) {
		return false
	}
	mac := hmac.New(sha256.New, c.Key)
	mac.Write([]byte(parts["timestamp"] + parts["nonce"] + c.User))
	return hmac.Equal(got, mac.Sum(nil))
}
