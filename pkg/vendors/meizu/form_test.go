package meizu

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const testKey = "0123456789abcdef0123456789abcdef"

func TestSignaturesOfTheVendorsDocuments(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{
			"from the vendor's Go library",
			"appId=100999msgType=0pushId=862891030007404100999subSwitch=1" + "531732bc45324098978bf41c6954c09e",
			"5bd43df385bec6f236c6417d437741e7",
		},
		{
			"from the vendor's README, whose secret is a placeholder",
			`appId=10000messageJson={"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}` +
				"pushIds=RA50c6348036344485d01776773577c64740465480a6b" + "<APP_SECRET>",
			"ac076ff25d9900015a681cb5172aa53b",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sign([]byte(tt.text)); string(got[:]) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTheFormCarriesTheSignatureOfItsRawValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, appID, msg, secret string
		tokens                   []string
		want                     string
	}{
		{
			"one push id", "10000", `{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}`, "<APP_SECRET>",
			[]string{"RA50c6348036344485d01776773577c64740465480a6b"}, "ac076ff25d9900015a681cb5172aa53b",
		},
		{
			"two push ids and Chinese", "100999", `{"noticeBarInfo":{"title":"标题","content":"内容"},"pushTimeInfo":{"offLine":1,"validTime":24}}`, "secret123",
			[]string{"P1", "P2"}, "97adb06f22d0065121ee3581e5da7ed1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := url.ParseQuery(string(form(tt.appID, []byte(tt.msg), tt.tokens, vendors.NewSecret(tt.secret))))
			if err != nil {
				t.Fatal(err)
			}
			want := url.Values{"appId": {tt.appID}, "messageJson": {tt.msg}, "pushIds": {strings.Join(tt.tokens, ",")}, "sign": {tt.want}}
			if got.Encode() != want.Encode() {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// For any values, the server decodes the text that was signed.
func TestValuesSurviveTheForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.String().Draw(t, "message")
		tokens := rapid.SliceOfN(rapid.StringMatching(`[^,]+`), 1, 20).Draw(t, "tokens")
		got, err := url.ParseQuery(string(form("1", []byte(msg), tokens, vendors.NewSecret("secret"))))
		if err != nil {
			t.Fatal(err)
		}
		want := sign([]byte("appId=1messageJson=" + msg + "pushIds=" + strings.Join(tokens, ",") + "secret"))
		if got.Get("messageJson") != msg || got.Get("pushIds") != strings.Join(tokens, ",") || got.Get("sign") != string(want[:]) || len(got) != 4 {
			t.Fatalf("got %v", got)
		}
	})
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	vendortest.ConstantAllocations(t, 1, 100, 60, "%045d", func(tokens []string) func() {
		ok := httpx.Reply{Status: 200, Body: []byte(`{"code":"200","message":"","value":{},"msgId":"c2ee5c3bf00448cfbceb7fdf68c3c8eb"}`)}
		return func() {
			msg, err := payload(m, ident{ttl: time.Hour, key: testKey})
			if err != nil {
				t.Fatal(err)
			}
			form("100999", msg, tokens, vendors.NewSecret("secret"))
			if _, err := readAnswer(ok, tokens, "secret"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
