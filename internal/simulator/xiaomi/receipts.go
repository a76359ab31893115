package xiaomi

import (
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts follows https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1558
func receipts(_ play.Receipts, _ string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	messages := map[string]any{}
	for i, g := range play.GroupOutcomes(outcomes) {
		m := map[string]any{
			"param": g.Tag, "type": play.EitherValue(g.Lost, 1, 16), "targets": g.Targets(),
			"barStatus": play.EitherValue(g.Lost, "Enable", "Unknown"), "timestamp": now.UnixMilli(),
		}
		if g.Lost {
			m["errorCode"] = 1
		}
		messages["sdm"+strconv.FormatInt(now.UnixMicro(), 10)+strconv.Itoa(i)] = m
	}
	return play.FormReceipts("data", messages, nil)
}
