package honor

import (
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// receiptSpec describes the receipts. They are posted, unsigned, to the address in the
// console. A token may get several for one message: withheld, then shown, then
// clicked. The codes are listed at
// https://developer.honor.com/cn/docs/11002/reference/downlink-message
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
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
			Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code), Foreign: foreign(c.Settings, f.Text("appid")),
		}
	})
}

// foreign reports whether a receipt is about another app than the account's.
func foreign(s vendors.Settings, app string) bool {
	own, ok := s.(*Settings)
	return ok && app != "" && app != own.AppID
}

// event returns the event of a code. A message with 40000013 is withheld until the
// screen is on; one with 50000003 waits for the app.
func event(code string) vendors.Event {
	switch code {
	case "40000001", "40000002":
		return vendors.Arrived
	case "40000007":
		return vendors.Clicked
	case "40000013", "50000003":
		return vendors.Pending
	}
	return vendors.Failed
}
