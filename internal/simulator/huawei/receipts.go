package huawei

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts follows https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-receipt-api-0000001051066120
func receipts(r play.Receipts, app string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	one := play.StatusReceipts(outcomes, func(o play.Outcome) map[string]any {
		return map[string]any{
			"biTag": o.Tag, "appid": app, "token": o.Token, "status": play.EitherValue(o.Lost, 0, 2), "timestamp": now.UnixMilli(), "requestId": o.Tag,
		}
	})
	one.Header = callbackID(r, now)
	return one
}

// callbackID signs a call: its time, a nonce and the user.
func callbackID(r play.Receipts, now time.Time) http.Header {
	const nonce = "83ddc4a2-1a2c-4d2e-9a1c-1f2ab3f0e1a7"
	ms := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(r.Secret))
	mac.Write([]byte(ms + nonce + r.User))
	value := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return http.Header{"X-Huawei-Callback-Id": {"timestamp=" + ms + "; nonce=" + nonce + "; value=" + value}}
}
