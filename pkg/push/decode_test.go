package push_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/postrider/postrider/pkg/push"
)

// documented is a job with every field there is.
const documented = `{
  "id": "order-42-shipped",
  "app": "shop",
  "priority": "normal",
  "delivery": "at-least-once",
  "not_before": "2026-11-21T09:00:00+08:00",
  "expires_at": "2026-11-21T21:00:00+08:00",
  "message": {
    "kind": "notification",
    "class": "service",
    "category": "ORDER",
    "channel": "orders",
    "title": "Shipped", "body": "Your order 42 is on its way",
    "data": {"order": "42"},
    "click": {"action": "url", "target": "https://shop.example/o/42"},
    "collapse_id": "order-42",
    "ttl": "24h",
    "image": "", "sound": "", "badge": 1,
    "test": false,
    "overrides": {"huawei": {"android": {"urgency": "HIGH"}}}
  },
  "targets": {"huawei": ["t1", "t2"], "xiaomi": ["r1"]}
}`

func TestDecodeJobReadsEveryField(t *testing.T) {
	t.Parallel()
	got, err := push.DecodeJob([]byte(documented))
	if err != nil {
		t.Fatal(err)
	}
	one := 1
	beijing := time.FixedZone("", 8*3600)
	want := push.Job{
		ID: "order-42-shipped", App: "shop", Priority: push.Normal, Delivery: push.AtLeastOnce,
		NotBefore: time.Date(2026, 11, 21, 9, 0, 0, 0, beijing), ExpiresAt: time.Date(2026, 11, 21, 21, 0, 0, 0, beijing),
		Message: push.Message{
			Kind: push.Notification, Class: push.Service, Category: "ORDER", Channel: "orders",
			Title: "Shipped", Body: "Your order 42 is on its way", Data: map[string]string{"order": "42"},
			Click:      &push.Click{Action: push.ClickURL, Target: "https://shop.example/o/42"},
			CollapseID: "order-42", TTL: push.Duration(24 * time.Hour), Badge: &one,
			Overrides: map[string]json.RawMessage{"huawei": json.RawMessage(`{"android": {"urgency": "HIGH"}}`)},
		},
		Targets: map[string][]string{"huawei": {"t1", "t2"}, "xiaomi": {"r1"}},
	}
	if !got.NotBefore.Equal(want.NotBefore) || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("the times are %v and %v", got.NotBefore, got.ExpiresAt)
	}
	got.NotBefore, got.ExpiresAt = want.NotBefore, want.ExpiresAt // the zones are other pointers
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestDecodeJobNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, job, want string }{
		{"a misspelled field", `{"ap":"shop"}`, "ap: is not a field: see docs/job.md for those that are"},
		{"a misspelled field inside", `{"message":{"titel":"x"}}`, "titel: is not a field: see docs/job.md for those that are"},
		{"a number for a word", `{"id":5}`, "id: is a JSON number, want a string"},
		{"a word for a list", `{"targets":{"huawei":"secret"}}`, "targets: is a JSON string, want an array"},
		{"a fraction for a badge", `{"message":{"badge":1.5}}`, "message.badge: is a JSON number 1.5, want a whole number"},
		{"a word for a switch", `{"message":{"test":"yes"}}`, "message.test: is a JSON string, want true or false"},
		{"a word for an object", `{"message":{"click":"app"}}`, "message.click: is a JSON string, want an object or word as documented"},
		{"a number in data", `{"message":{"data":{"k":5}}}`, "message.data: is a JSON number, want a string"},
		{"a start that is no time", `{"not_before":"tomorrow"}`, `not_before: is not a time: write it like "2026-11-21T09:00:00+08:00"`},
		{"an end that is a number", `{"not_before":"2026-11-21T09:00:00Z","expires_at":5}`,
			`expires_at: is not a time: write it like "2026-11-21T09:00:00+08:00"`},
		{"a ttl without a unit", `{"message":{"ttl":"90"}}`, `message.ttl: is not a duration: write it like "90s", "15m" or "24h"`},
		{"a ttl that is a number", `{"message":{"ttl":90}}`, `message.ttl: is a JSON number, want a duration: write it like "90s", "15m" or "24h"`},
		{"a list", `[]`, "is a JSON array, want an object or word as documented"},
		{"nothing", ``, "is empty: want a JSON object"},
		{"half a job", `{"id":"j"`, "is not JSON: it breaks off"},
		{"no JSON", `{"id":j}`, "is not JSON: invalid character 'j' looking for beginning of value at byte 7"},
		{"two jobs", `{} {}`, "something follows the JSON object: want exactly one object"},
		{"a job and a rest", `{}x`, "something follows the JSON object: want exactly one object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, err := push.DecodeJob([]byte(c.job))
			var invalid *push.InvalidError
			if !errors.As(err, &invalid) || err.Error() != c.want || !reflect.DeepEqual(j, push.Job{}) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// utf16LE is text as an editor on Windows saves it as "Unicode".
func utf16LE(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestDecodeJobRefusesWhatIsNotText(t *testing.T) {
	t.Parallel()
	const half = `, half of a surrogate pair, without the other half: write both, like \ud83d\ude00, or the character itself`
	const gbk = "is not UTF-8, it looks like GBK: write UTF-8"
	long := strings.Repeat("IQAAAACy0ZxV", 10)
	for _, c := range []struct{ name, job, want string }{
		{"UTF-16", utf16LE("\ufeff" + documented), "is UTF-16: save it as UTF-8"},
		{"UTF-16 without a mark", utf16LE(documented), "is UTF-16: save it as UTF-8"},
		{"a title in GBK", "{\"app\":\"shop\",\"message\":{\"title\":\"\xb7\xa2\xbb\xf5\"}}", "message.title: " + gbk},
		{"a title in GBK that ends its string too late", "{\"message\":{\"title\":\"\xc0\x5c\"}}", "message.title: " + gbk},
		{"title and body in GBK", "{\"message\":{\"title\":\"\xb7\xa2\",\"body\":\"\xbb\xf5\"}}", "message.title: " + gbk + "; message.body: " + gbk},
		{"a body in Latin-1", "{\"message\":{\"body\":\"caf\xe9 \"}}", "message.body: is not UTF-8: write UTF-8"},
		{"half an emoji", `{"message":{"title":"\ud83d"}}`, `message.title: holds \ud83d` + half},
		{"half an emoji in data", `{"message":{"data":{"k":"a\ude00"}}}`, `message.data.k: holds \ude00` + half},
		{"half an emoji in a key", `{"message":{"data":{"a\ude00":"v"}}}`, `message.data: a key in it holds \ude00` + half},
		{"half an emoji in the overrides", `{"message":{"overrides":{"huawei":{"android":{"x":["a","\ud83d"]}}}}}`,
			`message.overrides.huawei.android.x[2]: holds \ud83d` + half},
		{"half an emoji as id", `{"id":"\ud83d"}`, `id: holds \ud83d` + half},
		{"half an emoji under a key that is a token", `{"` + long + `":"\ud83d"}`, `IQAA…xV (120 characters): holds \ud83d` + half},
		{"a token as field", `{"` + long + `":1}`, "IQAA…xV (120 characters): is not a field: see docs/job.md for those that are"},
		{"a user as badge", `{"message":{"badge":13800138000138001380}}`, "message.badge: is a JSON number 1380…80 (20 characters), want a whole number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j, err := push.DecodeJob([]byte(c.job))
			var invalid *push.InvalidError
			if !errors.As(err, &invalid) || err.Error() != c.want || !reflect.DeepEqual(j, push.Job{}) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestDecodeAcceptsWhatIsText(t *testing.T) {
	t.Parallel()
	const title = "发货 😀\t\n"
	for name, text := range map[string]string{
		"characters":         `{"title":"发货 😀\t\n"}`,
		"escapes":            `{"title":"\u53d1\u8d27 \ud83d\ude00\t\n"}`,
		"a byte order mark":  "\ufeff" + `{"title":"发货 😀\t\n"}`,
		"escapes in capital": `{"title":"\u53D1\u8D27 \uD83D\uDE00\t\n"}`,
	} {
		if m, err := push.DecodeMessage([]byte(text)); err != nil || m.Title != title {
			t.Errorf("%s: got %q and %v, want %q", name, m.Title, err, title)
		}
		if j, err := push.DecodeJob([]byte(strings.Replace(text, "{", `{"message":{`, 1) + "}")); err != nil || j.Message.Title != title {
			t.Errorf("%s: got %q and %v, want %q", name, j.Message.Title, err, title)
		}
	}
}

func TestATokenThatIsNotTextIsLeftToTheClient(t *testing.T) {
	t.Parallel()
	j, err := push.DecodeJob([]byte(`{"targets":{"huawei":["a","\ud83d"]}}`))
	if err != nil || len(j.Targets["huawei"]) != 2 {
		t.Errorf("got %+v and %v, want both tokens", j, err)
	}
}

func TestAJobThatCannotBeDecodedIsReportedByItsID(t *testing.T) {
	t.Parallel()
	for job, want := range map[string]string{
		`{"id":"j","ap":"shop"}`:         "j",
		`{"ap":"shop","id":"j"}`:         "j",
		`{"id":"j","message":{"ttl":5}}`: "j",
		`{"id":5}`:                       "",
		`{"id":"j"`:                      "",
	} {
		_, err := push.DecodeJob([]byte(job))
		var invalid *push.InvalidError
		if !errors.As(err, &invalid) || invalid.Job != want {
			t.Errorf("%s: got %+v, want the id %q", job, err, want)
		}
	}
}

func TestDecodeMessageIsStrict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, want string }{
		{"a right one", `{"title":"t","ttl":"90s"}`, ""},
		{"a misspelled field", `{"titel":"t"}`, "titel: is not a field"},
		{"a ttl without a unit", `{"ttl":"90"}`, "ttl: is not a duration"},
		{"two", `{}{}`, "something follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := push.DecodeMessage([]byte(c.message))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAFaultWithoutAFieldIsItsReason(t *testing.T) {
	t.Parallel()
	err := &push.InvalidError{Faults: []push.Fault{{Field: "app", Reason: "is missing"}, {Reason: "is empty"}}}
	if got, want := err.Error(), "app: is missing; is empty"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzDecodeJob(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(`{"id":"j","app":"a","targets":{"v":["t"]},"message":{"ttl":"1h","badge":0}}`))
	f.Add([]byte(`{"message":{"ttl":"90"}}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := push.DecodeJob(b)
		if err != nil {
			var invalid *push.InvalidError
			if !errors.As(err, &invalid) || len(invalid.Faults) != 1 || err.Error() == "" {
				t.Errorf("got %v, want an InvalidError of one fault", err)
			}
			return
		}
		written, err := json.Marshal(j)
		if err != nil {
			return // a time whose zone RFC 3339 cannot write
		}
		again, err := push.DecodeJob(written)
		if err != nil {
			t.Fatalf("%s, written again as %s: %v", b, written, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(written) {
			t.Errorf("%s becomes %s", written, twice)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(`{"kind":"data","data":{"k":"v"},"overrides":{"v":{"a":[1,null]}}}`))
	f.Add([]byte(`{"ttl":"-1ns"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := push.DecodeMessage(b)
		if err != nil {
			return
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := push.DecodeMessage(written); err != nil {
			t.Errorf("%s, written again as %s: %v", b, written, err)
		}
	})
}
