package harmony

import (
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// receiptSpec describes the receipts. They are posted to the address in the console,
// at most 100 at once, possibly twice and in any order:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-api-msg-receipt
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
		status := f.Object("deliveryStatus")
		if status == nil {
			status = f.Object("formStatus") // for an update of a card
		}
		code := status.Text("result")
		return vendors.Receipt{
			Token: f.Text("token"), Tag: f.Text("biTag"), RequestID: f.Text("requestId"), At: status.Millis("timestamp"),
			Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code),
		}
	})
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
