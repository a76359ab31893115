package tim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// receiptSpec describes Tencent's push callbacks: at most 100 events in a call, which
// must be answered within 2 seconds; they may come late or twice:
// https://cloud.tencent.com/document/product/269/102567
func receiptSpec() *vendors.Receipts {
	return &vendors.Receipts{
		Verify: verifyCallback, Ours: forApp, Read: readCallback,
		ContentType: "application/json",
		Reply:       `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`,
	}
}

// verifyCallback checks Sign, the SHA-256 of the console's token and the time
// of the request: https://cloud.tencent.com/document/product/269/32431
func verifyCallback(c *vendors.ReceiptCall) bool {
	at := c.Query.Get("RequestTime")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || len(c.Key) == 0 || !c.Within(time.Unix(seconds, 0)) {
		return false
	}
	sum := sha256.Sum256(append(append([]byte(nil), c.Key...), at...))
	want := hex.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(c.Query.Get("Sign"))), []byte(want)) == 1
}

// forApp reports whether a call is about the account's app. Tencent asks receivers to
// compare the app's id.
func forApp(c *vendors.ReceiptCall) bool {
	s, ok := c.Settings.(*Settings)
	return ok && c.Query.Get("SdkAppid") == strconv.FormatInt(s.SDKAppID, 10)
}

// readCallback ignores calls that are not about pushes: the console has one address
// for all callbacks.
func readCallback(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	body, err := receipts.ReadFields(c.Body)
	if err != nil {
		return nil, err
	}
	switch c.Query.Get("CallbackCommand") {
	case "Push.OfflinePush", "Push.AllMemberPush":
	default:
		return nil, nil
	}
	items, err := body.Objects("Events")
	if err != nil {
		return nil, err
	}
	all := make([]vendors.Receipt, 0, len(items))
	for _, f := range items {
		code, id := callbackCode(f), f.Text("TaskId")
		if id == "" {
			id = f.Text("PushID")
		}
		token := f.Text("To_Account")
		if token == "" || code == "" {
			continue
		}
		all = append(all, vendors.Receipt{
			Token: token, Tag: f.Text("DataId"), RequestID: id, At: seconds(f.Text("EventTime")),
			Code: classify.Code{Level: classify.Callback, Code: code, Text: httpx.Redact(f.Text("ErrInfo"), token)}, Event: event(code, f.Text("PushStage")),
		})
	}
	return all, nil
}

// callbackCode returns Tencent's own code, which is never over 0, or the number of the
// phone vendor and that vendor's code: "3/80300007".
func callbackCode(f receipts.Fields) string {
	code := f.Text("ErrCode")
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		return ""
	case n > 0:
		return f.Text("PushPlatform") + "/" + code
	}
	return code
}

// event returns the event of a code and a stage. Stage 1 is sent to the phone vendor,
// 2 arrived, 3 clicked.
func event(code, stage string) vendors.Event {
	switch {
	case code != "0":
		return vendors.Failed
	case stage == "2":
		return vendors.Arrived
	case stage == "3":
		return vendors.Clicked
	}
	return vendors.Pending
}

// seconds reads a time in Unix seconds, or in milliseconds as on newer pages. Zero: it
// is not a time.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n > 1e11:
		return time.UnixMilli(n).UTC()
	}
	return time.Unix(n, 0).UTC()
}
