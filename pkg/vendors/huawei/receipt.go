package huawei

import (
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// receiptSpec describes the receipts. They are posted to the address in the console,
// at most 100 at once, possibly twice, in any order, and for several apps if the
// address is the project's:
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-receipt-api-0000001051066120
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Verify:      func(c *vendors.ReceiptCall) bool { return receipts.VerifySigned(c, "X-HUAWEI-CALLBACK-ID") },
		Read:        readReceipts,
		ContentType: "application/json",
		Reply:       `{"code":"0","message":"success"}`,
	}
}

func readReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	return receipts.ReadList(c.Body, "statuses", func(f receipts.Fields) vendors.Receipt {
		code := f.Text("status")
		return vendors.Receipt{
			Token: f.Text("token"), Tag: f.Text("biTag"), RequestID: f.Text("requestId"), At: f.Millis("timestamp"),
			Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code), Foreign: foreign(c.Settings, f),
		}
	})
}

// foreign reports whether a receipt is about another app than the account's. The app
// is appid in old documents and clientId in new ones. With API v2 the client may be
// the project's, so the field proves nothing.
func foreign(s vendors.Settings, f receipts.Fields) bool {
	own, ok := s.(*Settings)
	if !ok || own.ProjectID != "" {
		return false
	}
	for _, name := range []string{"appid", "clientId"} {
		if app := f.Text(name); app != "" && app != own.ClientID {
			return true
		}
	}
	return false
}

// event returns the event of a code. 27 and 51 mean that the message waits on the
// phone.
func event(code string) vendors.Event {
	switch code {
	case "0":
		return vendors.Arrived
	case "27", "51":
		return vendors.Pending
	}
	return vendors.Failed
}
