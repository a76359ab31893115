package vivo

import (
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts follows https://dev.vivo.com.cn/documentCenter/doc/362
func receipts(_ play.Receipts, _ string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	tasks := map[string]any{}
	for i, g := range play.GroupOutcomes(outcomes) {
		tasks[strconv.FormatInt(now.UnixMicro(), 10)+strconv.Itoa(i)] = map[string]any{
			"targets": g.Targets(), "param": g.Tag, "ackType": play.EitherValue(g.Lost, "0", "20002"), "ackTime": now.UnixMilli(),
		}
	}
	return play.JSONReceipts(tasks)
}
