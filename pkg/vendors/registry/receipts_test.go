package registry_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// receiptCall reads a raw call as a vendor makes it.
func receiptCall(tb testing.TB, raw string) *vendors.ReceiptCall {
	tb.Helper()
	head, body, _ := strings.Cut(raw, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		tb.Fatal(err)
	}
	return &vendors.ReceiptCall{
		Header: r.Header, Query: r.URL.Query(), Body: []byte(strings.TrimSuffix(body, "\n")),
		Key: []byte("token-of-the-console"), Now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
	}
}

func described(all []vendors.Receipt, err error) string {
	if err != nil {
		return "error " + err.Error() + "\n"
	}
	var s strings.Builder
	for _, r := range all {
		at := "-"
		if !r.At.IsZero() {
			at = r.At.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(&s, "%s %s %s tag=%s request=%s at=%s successor=%s foreign=%t\n", r.Token, r.Code, r.Event, r.Tag, r.RequestID, at, r.Replacement, r.Foreign)
	}
	return s.String()
}

func TestReceiptsOfTheVendorsDocuments(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		for _, name := range fixtures(t, spec, "receipts", ".http") {
			c := receiptCall(t, read(t, spec, "receipts/"+name+".http"))
			c.Settings = b.settings
			got := described(spec.Receipts.Read(c))
			path := testdata(spec, "receipts/"+name+".want")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, spec, "receipts/"+name+".want"); got != want {
				t.Errorf("%s: got\n%swant\n%s", name, got, want)
			}
		}
	})
}

// What a receipt counts as and what its row says of the token must agree: a
// failure is no success, and nothing but a failure concerns the token.
func TestReceiptEventsAgreeWithTheTable(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		shown := 0
		for _, name := range fixtures(t, spec, "receipts", ".http") {
			c := receiptCall(t, read(t, spec, "receipts/"+name+".http"))
			c.Settings = b.settings
			all, _ := spec.Receipts.Read(c)
			for _, r := range all {
				row, known := spec.Codes.Lookup(r.Code.Level, r.Code.Code)
				if !known {
					continue
				}
				shown++
				if (row.Class == classify.Success) == (r.Event == vendors.Failed) {
					t.Errorf("%s counts as %s, and its class is %s", r.Code, r.Event, row.Class)
				}
				if (row.Action == classify.Replace) != (r.Replacement != "") {
					t.Errorf("%s: action %q with replacement %q", r.Code, row.Action, r.Replacement)
				}
			}
		}
		if shown == 0 {
			t.Error("no fixture has a code of the table")
		}
	})
}

func FuzzReadReceipts(f *testing.F) {
	specs := registry.All()
	for i, spec := range specs {
		entries, err := os.ReadDir(testdata(spec, "receipts"))
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			raw, err := os.ReadFile(testdata(spec, "receipts/"+e.Name()))
			if err != nil {
				f.Fatal(err)
			}
			if strings.HasSuffix(e.Name(), ".http") {
				f.Add(uint8(i), "CallbackCommand=Push.OfflinePush", receiptCall(f, string(raw)).Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, query string, body []byte) {
		spec := specs[int(i)%len(specs)]
		c := &vendors.ReceiptCall{Body: body, Settings: spec.Settings()}
		c.Query, _ = receipts.ReadForm([]byte(query))
		all, err := spec.Receipts.Read(c)
		for _, r := range all {
			if err != nil || r.Token == "" || r.Code.Code == "" || r.Event == "" ||
				r.Code.Level != classify.Receipt && r.Code.Level != classify.Callback {
				t.Fatalf("%s: got %+v with %v", spec.Name, r, err)
			}
		}
	})
}
