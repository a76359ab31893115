package meizu

import (
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// longestReceiptURL is the limit of callback, in bytes: https://github.com/MEIZUPUSH/PushAPI
const longestReceiptURL = 128

// receiptTypes asks for both kinds: 1 delivered and 2 clicked.
const receiptTypes = "3"

// receiptSpec describes the receipts. They are posted once, about a second after the
// event, as JSON in the form field cb, with the token from the console in
// access_token. The address must be registered in the console, or the push itself may
// fail:
// https://github.com/MEIZUPUSH/PushAPI
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Verify: verifyReceipt, Read: readReceipts,
		ContentType: "application/json", Reply: `{"code":"200"}`, LongestURL: longestReceiptURL,
	}
}

// receiptExtra asks for receipts of a notification.
type receiptExtra struct {
	Callback string `json:"callback"`
	Param    string `json:"callback.param"`
	Type     string `json:"callback.type"`
}

func newReceiptExtra(id ident) *receiptExtra {
	if id.receiptURL == "" {
		return nil
	}
	return &receiptExtra{Callback: id.receiptURL, Param: id.key, Type: receiptTypes}
}

func verifyReceipt(c *vendors.ReceiptCall) bool {
	form, err := receipts.ReadForm(c.Body)
	return err == nil && len(c.Key) > 0 && subtle.ConstantTimeCompare([]byte(form.Get("access_token")), c.Key) == 1
}

var errNoReceipts = errors.New("read receipt: the form has no cb")

func readReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	form, err := receipts.ReadForm(c.Body)
	if err != nil {
		return nil, err
	}
	if !form.Has("cb") {
		return nil, errNoReceipts
	}
	body, err := receipts.ReadFields([]byte(form.Get("cb")))
	if err != nil {
		return nil, err
	}
	var all []vendors.Receipt
	for _, name := range slices.Sorted(maps.Keys(body)) {
		f := body.Object(name)
		id, code := name, f.Text("type")
		if i := strings.LastIndexByte(name, '-'); i >= 0 && code != "" {
			id = name[:i] // the message and the type
		}
		for _, token := range f.List("targets") {
			if code == "" {
				break
			}
			all = append(all, vendors.Receipt{
				Token: token, Tag: f.Text("param"), RequestID: id,
				Code: classify.Code{Level: classify.Receipt, Code: code}, Event: event(code),
			})
		}
	}
	return all, nil
}

func event(code string) vendors.Event {
	switch code {
	case "1":
		return vendors.Arrived
	case "2":
		return vendors.Clicked
	}
	return vendors.Failed
}
