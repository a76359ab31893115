package vivo

import (
	"maps"
	"slices"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// longestReceiptURL is the limit of extra.callback, in bytes:
// https://dev.vivo.com.cn/documentCenter/doc/362
const longestReceiptURL = 128

// receiptSpec describes the receipts. They are posted, unsigned, as an object keyed by
// task; several tasks may come together. vivo sends them only for formal messages:
// https://docs.getui.com/getui/server/receipt
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Read: readReceipts, ContentType: "application/json", Reply: `{"result":0}`, LongestURL: longestReceiptURL,
	}
}

// receiptFields returns the fields that ask for receipts. nil: no receipts.
func receiptFields(id ident) map[string]string {
	if id.receiptURL == "" {
		return nil
	}
	return map[string]string{"callback": id.receiptURL, "callback.param": id.key}
}

func readReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	body, err := receipts.ReadFields(c.Body)
	if err != nil {
		return nil, err
	}
	var all []vendors.Receipt
	for _, task := range slices.Sorted(maps.Keys(body)) {
		f := body.Object(task)
		code := f.Text("ackType")
		if code == "" {
			continue
		}
		for _, token := range f.List("targets") {
			all = append(all, vendors.Receipt{
				Token: token, Tag: f.Text("param"), RequestID: task, At: f.Millis("ackTime"),
				Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code),
			})
		}
	}
	return all, nil
}

func event(code string) vendors.Event {
	if code == codeSuccess {
		return vendors.Arrived
	}
	return vendors.Failed
}
