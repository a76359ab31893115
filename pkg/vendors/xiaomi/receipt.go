package xiaomi

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// longestReceiptURL is chosen by postrider: Xiaomi answers 65037 to an address that is
// too long, but does not document the limit.
const longestReceiptURL = 256

// receiptSpec describes the receipts. They are posted once, unsigned, about a second
// after the event, as JSON in the form field data, keyed by message:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1558
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Read: readReceipts, ContentType: "application/json", Reply: `{"code":0}`, LongestURL: longestReceiptURL,
	}
}

// receiptFields returns the fields that ask for receipts of every kind.
func receiptFields(id ident) []field {
	if id.receiptURL == "" {
		return nil
	}
	return []field{
		{"extra.callback", id.receiptURL}, {"extra.callback.param", id.key}, {"extra.callback.type", strconv.Itoa(receiptTypes)},
	}
}

var errNoData = errors.New("read receipt: the form has no data")

func readReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	form, err := receipts.ReadForm(c.Body)
	if err != nil {
		return nil, err
	}
	if !form.Has("data") {
		return nil, errNoData
	}
	body, err := receipts.ReadFields([]byte(form.Get("data")))
	if err != nil {
		return nil, err
	}
	var all []vendors.Receipt
	for _, id := range slices.Sorted(maps.Keys(body)) {
		if f := body.Object(id); f != nil {
			all = append(all, readReceipt(id, f)...)
		}
	}
	return all, nil
}

func readReceipt(id string, f receipts.Fields) []vendors.Receipt {
	successors := f.Object("replaceTarget")
	var all []vendors.Receipt
	for _, token := range f.List("targets") {
		r := vendors.Receipt{Token: token, Tag: f.Text("param"), RequestID: id, At: f.Millis("timestamp"), Replacement: successors.Text(token)}
		code := receiptCode(f, r.Replacement)
		if code == "" {
			continue
		}
		r.Code = classify.Code{Level: classify.Receipt, Code: code}
		r.Event = event(code)
		all = append(all, r)
	}
	return all
}

// receiptCode returns the type, with a suffix if the type has several meanings: whether
// an invalid target has a successor or is not a registration id (errorCode 2 is an
// alias, 3 an account), and which quota was used up.
func receiptCode(f receipts.Fields, successor string) string {
	code := f.Text("type")
	extra := f.Object("extra")
	switch kind := f.Text("errorCode"); {
	case strings.ContainsRune(code, '/'):
		return ""
	case code == "16" && kind != "" && kind != "1":
		return "16/" + kind
	case code == "16" && successor != "":
		return "16/replace"
	case code == "128" && extra["quota"] != nil:
		return "128/quota"
	case code == "128" && extra["device_quota"] != nil:
		return "128/device_quota"
	}
	return code
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
