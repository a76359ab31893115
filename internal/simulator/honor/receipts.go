package honor

import (
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts follows https://developer.honor.com/cn/docs/11002/reference/downlink-message
func receipts(_ play.Receipts, app string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	return play.StatusReceipts(outcomes, func(o play.Outcome) map[string]any {
		return map[string]any{
			"biTag": o.Tag, "appid": app, "token": o.Token, "status": play.EitherValue(o.Lost, 40000002, 40000003), "timestamp": now.UnixMilli(),
			"requestId": app + "-" + o.Tag,
		}
	})
}
