package receipts_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

func TestLooseValuesAreRead(t *testing.T) {
	t.Parallel()
	f, err := receipts.ReadFields([]byte(`{" text ":" a ","number":12,"negative":-3.5,"null":null,"list":["a"," b ",""],"commas":"a, b,,c","object":{"x":"y"},"at":"1700000000000"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"text": "a", "number": "12", "negative": "-3.5", "null": "", "object": "", "missing": ""} {
		if got := f.Text(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string][]string{"list": {"a", "b"}, "commas": {"a", "b", "c"}, "missing": {}} {
		if got := f.List(name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := f.Object("object").Text("x"); got != "y" || f.Object("text") != nil {
		t.Errorf("got %q in the object, want y", got)
	}
	if got := f.Millis("at"); !got.Equal(time.UnixMilli(1700000000000)) || !f.Millis("text").IsZero() || !f.Millis("negative").IsZero() {
		t.Errorf("got the time %v", got)
	}
}

func TestWhatIsNotTheFormatIsAnErrorWithoutItsText(t *testing.T) {
	t.Parallel()
	read := func(f receipts.Fields) vendors.Receipt {
		return vendors.Receipt{Token: f.Text("token"), Code: classify.Code{Level: classify.Receipt, Code: f.Text("code")}}
	}
	for _, raw := range []string{``, `null`, `[]`, `"secret-token"`, `{"all":"secret-token"}`, `{}`, `{"all":null}`, `{"all":[{"token":"secret-token"`} {
		if got, err := receipts.ReadList([]byte(raw), "all", read); err == nil || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%s: got %v and %v, want an error without the token", raw, got, err)
		}
	}
	got, err := receipts.ReadList([]byte(`{"all":[{"token":"a","code":1},{"token":"b"},{"code":1},7,{"token":"c","code":"2"}]}`), "all", read)
	if err != nil || len(got) != 2 || got[0].Token != "a" || got[0].Code.Code != "1" || got[1].Token != "c" {
		t.Errorf("got %+v (%v), want the receipts of a and c", got, err)
	}
	if v, err := receipts.ReadForm([]byte("cb=%7B%7D&x=1")); err != nil || v.Get("cb") != "{}" {
		t.Errorf("got the form %v (%v)", v, err)
	}
	if _, err := receipts.ReadForm([]byte("cb=%zz")); err == nil {
		t.Error("a broken form is accepted")
	}
}

func TestASignedHeaderIsRightAndFresh(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1700000000000)
	sign := func(key, user string, at time.Time) string {
		stamp := fmt.Sprint(at.UnixMilli())
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(stamp + "nonce" + user))
		return fmt.Sprintf("timestamp=%s; nonce=nonce; value=%s", stamp, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	for name, tt := range map[string]struct {
		header string
		key    string
		want   bool
	}{
		"right":            {sign("key", "user", now), "key", true},
		"ten minutes old":  {sign("key", "user", now.Add(-10*time.Minute)), "key", true},
		"an hour old":      {sign("key", "user", now.Add(-time.Hour)), "key", false},
		"of the future":    {sign("key", "user", now.Add(time.Hour)), "key", false},
		"of another user":  {sign("key", "other", now), "key", false},
		"with another key": {sign("other", "user", now), "key", false},
		"without a key":    {sign("", "user", now), "", false},
		"missing":          {"", "key", false},
		"not base64":       {"timestamp=1700000000000; nonce=n; value=!", "key", false},
	} {
		c := &vendors.ReceiptCall{Header: http.Header{"X-Sign": {tt.header}}, User: "user", Key: []byte(tt.key), Now: now}
		if got := receipts.VerifySigned(c, "X-Sign"); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
