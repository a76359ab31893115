package harmony

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts follows https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-api-msg-receipt
func receipts(r play.Receipts, _ string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	one := play.StatusReceipts(outcomes, func(o play.Outcome) map[string]any {
		return map[string]any{
			"token": o.Token, "pushType": 0, "appPackageName": "com.example.shop", "biTag": o.Tag, "requestId": o.Tag,
			"deliveryStatus": map[string]any{"result": play.EitherValue(o.Lost, 0, 2), "timestamp": now.UnixMilli()},
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
