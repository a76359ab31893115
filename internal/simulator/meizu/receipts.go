package meizu

import (
	"net/url"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// receipts reports only devices that were reached: the vendor has no type for
// others. https://github.com/MEIZUPUSH/PushAPI
func receipts(r play.Receipts, _ string, now time.Time, outcomes []play.Outcome) play.ReceiptCall {
	messages := map[string]any{}
	for i, g := range play.GroupOutcomes(outcomes) {
		if !g.Lost {
			id := "NS" + strconv.FormatInt(now.UnixMicro(), 10) + "_" + strconv.Itoa(i) + "-1"
			messages[id] = map[string]any{"param": g.Tag, "type": 1, "targets": g.Tokens}
		}
	}
	if len(messages) == 0 {
		return play.ReceiptCall{}
	}
	return play.FormReceipts("cb", messages, url.Values{"access_token": {r.Secret}})
}
