package feed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// SignatureHeader is the header with the time and signature of a webhook call.
const SignatureHeader = "X-Postrider-Signature"

// sign returns the header's value: "t=<unix>,v1=<hex>", where hex is the HMAC-SHA256
// of the time, a dot and the body. The signed time lets a receiver refuse replayed
// calls.
func sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
