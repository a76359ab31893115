package feed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// SignatureHeader is the header that says who calls the webhook, and when.
const SignatureHeader = "X-Postrider-Signature"

// sign is the header's value: "t=<unix>,v1=<hex>", where hex is HMAC-SHA256 of
// the time, a dot and the body. The time is signed, too, so that a receiver can
// refuse a call that somebody recorded and sends again.
func sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
