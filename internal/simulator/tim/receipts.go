package tim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts writes one event for each token. PushStage 2 means "arrived":
// https://cloud.tencent.com/document/product/269/102567
func receipts(r play.Receipts, app string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	const command = "Push.AllMemberPush"
	var events []map[string]any
	for _, o := range outcomes {
		events = append(events, map[string]any{
			"CallbackCommand": command, "EventType": 1, "EventTime": now.Unix(), "TaskId": "batch_" + o.Tag, "DataId": o.Tag, "To_Account": o.Token,
			"PushPlatform": 3, "DeviceType": 2, "PushStage": play.EitherValue(o.Lost, 2, 1),
			"ErrCode": play.EitherValue(o.Lost, 0, -201), "ErrInfo": play.EitherValue(o.Lost, "OK", "invalid token"),
		})
	}
	at := strconv.FormatInt(now.Unix(), 10)
	sum := sha256.Sum256([]byte(r.Secret + at))
	one := play.JSONReceipts(map[string]any{"CallbackCommand": command, "Events": events})
	one.Query = url.Values{
		"SdkAppid": {app}, "CallbackCommand": {command}, "contenttype": {"json"}, "OptPlatform": {"RESTAPI"},
		"Sign": {hex.EncodeToString(sum[:])}, "RequestTime": {at},
	}
	return one
}
