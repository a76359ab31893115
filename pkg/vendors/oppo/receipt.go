package oppo

import (
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// longestReceiptURL is the limit of call_back_url, in bytes:
// https://open.oppomobile.com/new/developmentDoc/info?id=11236
const longestReceiptURL = 200

// receiptSpec describes the receipts. They are posted, unsigned, as an array; receipts
// for one address come together, possibly twice and in any order:
// https://open.oppomobile.com/new/developmentDoc/info?id=11239
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Read: readReceipts, ContentType: "application/json", Reply: `{"code":0}`, LongestURL: longestReceiptURL,
	}
}

func readReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	items, err := receipts.ReadObjects(c.Body)
	if err != nil {
		return nil, err
	}
	var all []vendors.Receipt
	for _, f := range items {
		code := f.Text("eventType")
		if code == "" {
			continue
		}
		for _, token := range f.List("registrationIds") {
			all = append(all, vendors.Receipt{
				Token: token, Tag: f.Text("param"), RequestID: f.Text("messageId"), At: f.Millis("eventTime"),
				Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code),
			})
		}
	}
	return all, nil
}

func event(code string) vendors.Event {
	if code == "push_arrive" {
		return vendors.Arrived
	}
	return vendors.Failed
}
