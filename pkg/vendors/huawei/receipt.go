package huawei

import (
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// receipts are posted to the address in the console, at most 100 of them at
// once, perhaps twice, in any order, and for several apps where the address is
// the project's:
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

// another reports whether a receipt is about another app than the account's. The
// app is appid in old documents and clientId in new ones. With API v2 the
// client may be the project's: then nothing can be told from it.
func foreign(s vendors.Settings, f receipts.Fields) bool {
	ours, ok := s.(*Settings)
	if !ok || ours.ProjectID != "" {
		return false
	}
	for _, name := range []string{"appid", "clientId"} {
		if theirs := f.Text(name); theirs != "" && theirs != ours.ClientID {
			return true
		}
	}
	return false
}

// event: 27 and 51 tell that the message waits on the phone.
func event(code string) vendors.Event {
	switch code {
	case "0":
		return vendors.Arrived
	case "27", "51":
		return vendors.Pending
	}
	return vendors.Failed
}
