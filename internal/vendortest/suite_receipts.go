package vendortest

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// receiptCall parses the raw HTTP call of a vendor.
func receiptCall(raw string) (*vendors.ReceiptCall, error) {
	head, body, _ := strings.Cut(raw, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		return nil, err
	}
	return &vendors.ReceiptCall{
		Header: r.Header, Query: r.URL.Query(), Body: []byte(strings.TrimSuffix(body, "\n")),
		Key: []byte("token-of-the-console"), Now: testNow(),
	}, nil
}

// eachReceipt reads every fixture in receipts/. It does nothing for a vendor without
// receipts.
func (s *suite) eachReceipt(check func(s *suite, name string, all []vendors.Receipt, err error)) {
	s.Helper()
	if s.spec.Receipts == nil {
		return
	}
	settings := s.bench().settings
	for _, name := range s.names("receipts", ".http") {
		c, err := receiptCall(s.read("receipts/" + name + ".http"))
		if err != nil {
			s.Fatalf("receipts/%s.http: %v", name, err)
		}
		c.Settings = settings
		all, err := s.spec.Receipts.Read(c)
		check(s.about("receipts/%s", name), name, all, err)
	}
}

func receiptsAreRead(s *suite) {
	s.eachReceipt(func(s *suite, name string, all []vendors.Receipt, err error) {
		s.golden("receipts/"+name+".want", describeReceipts(all, err))
	})
}

func describeReceipts(all []vendors.Receipt, err error) string {
	if err != nil {
		return "error " + err.Error() + "\n"
	}
	var text strings.Builder
	for _, r := range all {
		at := "-"
		if !r.At.IsZero() {
			at = r.At.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(&text, "%s %s %s tag=%s request=%s at=%s successor=%s foreign=%t\n", r.Token, r.Code, r.Event, r.Tag, r.RequestID, at, r.Replacement, r.Foreign)
	}
	return text.String()
}

// receiptEvents compares the event of a receipt with its row: Failed has no row of
// class success, and every other event has one.
func receiptEvents(s *suite) {
	shown := 0
	s.eachReceipt(func(s *suite, _ string, all []vendors.Receipt, _ error) {
		for _, r := range all {
			row, known := s.spec.Codes.Lookup(r.Code.Level, r.Code.Code)
			if !known {
				continue
			}
			shown++
			if (row.Class == classify.Success) == (r.Event == vendors.Failed) {
				s.Errorf("%s has the event %s, but its class is %s", r.Code, r.Event, row.Class)
			}
			if (row.Action == classify.Replace) != (r.Replacement != "") {
				s.Errorf("%s: action %q with replacement %q", r.Code, row.Action, r.Replacement)
			}
		}
	})
	if shown == 0 && s.spec.Receipts != nil {
		s.Errorf("no fixture in receipts/ has a code of the table")
	}
}

// FuzzReceipts fuzzes the reading of a vendor's receipts; its fixtures are the seeds.
func FuzzReceipts(f *testing.F, spec vendors.Spec, dir string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "receipts", "*.http"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("%s has no receipts/*.http (%v)", dir, err)
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		c, err := receiptCall(string(raw))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.Query.Encode(), c.Body)
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		c := &vendors.ReceiptCall{Body: body, Settings: spec.Settings()}
		c.Query, _ = url.ParseQuery(query)
		all, err := spec.Receipts.Read(c)
		for _, r := range all {
			if err != nil || r.Token == "" || r.Code.Code == "" || r.Event == "" ||
				r.Code.Level != classify.Receipt && r.Code.Level != classify.Callback {
				t.Fatalf("got %+v with %v", r, err)
			}
		}
	})
}
