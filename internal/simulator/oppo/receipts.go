package oppo

import (
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receiptRequest reads how a notification asks for receipts.
func receiptRequest(n map[string]any) (r play.ReceiptRequest) {
	r.URL, _ = n["call_back_url"].(string)
	r.Tag, _ = n["call_back_parameter"].(string)
	return r
}

// receipts follows https://open.oppomobile.com/new/developmentDoc/info?id=11239
func receipts(_ play.Receipts, app string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	var events []map[string]any
	for _, g := range play.GroupOutcomes(outcomes) {
		id := "5f2a0c0d" + strconv.FormatInt(now.UnixNano(), 16)
		events = append(events, map[string]any{
			"messageId": id, "appId": app, "taskId": id, "registrationIds": g.Targets(), "eventTime": strconv.FormatInt(now.UnixMilli(), 10),
			"param": g.Tag, "eventType": play.EitherValue(g.Lost, "push_arrive", "regid_invalid"),
		})
	}
	return play.JSONReceipts(events)
}
