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

// SignedCallback checks a header of the form
//
//	timestamp=<Unix ms>; nonce=<any>; value=<base64>
//
// whose value is the HMAC-SHA256 of timestamp, nonce and user, one behind the
// other. The body is not signed: a whole header that somebody recorded would
// hold for another body too, which is why it holds for receiptWindow alone.
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
