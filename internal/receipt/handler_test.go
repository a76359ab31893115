package receipt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

const path = "/receipts/shop/"

// good is a readable call from each vendor.
var good = map[string]string{
	"huawei":  `{"statuses":[{"biTag":"` + tag + `","token":"t","status":0,"timestamp":1700000000000}]}`,
	"harmony": `{"statuses":[{"biTag":"` + tag + `","token":"t","deliveryStatus":{"result":0,"timestamp":1700000000000}}]}`,
	"honor":   `{"statuses":[{"biTag":"` + tag + `","token":"t","status":40000002}]}`,
	"oppo":    `[{"messageId":"1","registrationIds":"t","param":"` + tag + `","eventType":"push_arrive"}]`,
	"vivo":    `{"1":{"targets":"t","param":"` + tag + `","ackType":"0"}}`,
	"xiaomi":  "data=" + url.QueryEscape(`{"1":{"param":"`+tag+`","type":1,"targets":"t"}}`),
	"meizu":   "cb=" + url.QueryEscape(`{"1-1":{"param":"`+tag+`","type":1,"targets":["t"]}}`),
	"tim":     `{"Events":[{"DataId":"` + tag + `","To_Account":"t","PushStage":2,"ErrCode":0}]}`,
}

// replies are the bodies that the vendors' documents require; other vendors read only the status.
var replies = map[string]string{
	"huawei":  `{"code":"0","message":"success"}`,
	"harmony": `{"code":"0","message":"success"}`,
	"honor":   `{"code":"0","message":"success"}`,
	"tim":     `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`,
}

func query(vendor string) string {
	if vendor == "tim" {
		return "?SdkAppid=1400000001&CallbackCommand=Push.AllMemberPush&contenttype=json"
	}
	return ""
}

func TestReceiptsOfEveryVendorMustBeAuthenticated(t *testing.T) {
	t.Parallel()
	for vendor, body := range good {
		for name, c := range map[string]struct {
			path, body string
			want       int
		}{
			"with the secret in the path":   {path + vendor + "/a%20secret%2Fof%20ours", body, 200},
			"with another secret":           {path + vendor + "/another", body, 403},
			"with an empty secret":          {path + vendor + "/%20", body, 403},
			"without secret":                {path + vendor, body, 403},
			"of an app without a secret":    {"/receipts/shy/" + vendor + "/", body, 404},
			"of an app without, with one":   {"/receipts/shy/" + vendor + "/x", body, 404},
			"of an unknown app":             {"/receipts/none/" + vendor + "/a%20secret%2Fof%20ours", body, 404},
			"that cannot be read":           {path + vendor + "/a%20secret%2Fof%20ours", "<html>", 400},
			"unreadable and without secret": {path + vendor, "<html>", 403},
			"that is empty":                 {path + vendor + "/a%20secret%2Fof%20ours", "", 400},
			"of 4 MiB and more":             {path + vendor + "/a%20secret%2Fof%20ours", strings.Repeat(" ", 4<<20) + body, 413},
		} {
			t.Run(vendor+" "+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				status, text := r.post(c.path+query(vendor), c.body)
				if status != c.want {
					t.Fatalf("got %d %s, want %d", status, text, c.want)
				}
				if want := replies[vendor]; status == http.StatusOK && want != "" && text != want {
					t.Errorf("got %s, want %s", text, want)
				}
				if kept := r.rdb.XLen(t.Context(), wire.ReceiptStream).Val(); (kept == 1) != (status == http.StatusOK) {
					t.Errorf("%d entries were stored with status %d", kept, status)
				}
				if strings.Contains(text, secret) || strings.Contains(text, "shop") {
					t.Errorf("the answer contains a secret or the app: %s", text)
				}
			})
		}
	}
}

func TestAReceiptOfAnUnknownVendorIsNotFound(t *testing.T) {
	t.Parallel()
	if status, _ := newRig(t).post("/receipts/shop/nokia/a%20secret%2Fof%20ours", "{}"); status != http.StatusNotFound {
		t.Errorf("got %d, want 404", status)
	}
}

func TestOnlyPostIsAllowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/receipts/shop/huawei", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("got %d, Allow %q, want 405 and POST", w.Code, w.Header().Get("Allow"))
	}
}

// callbackID signs as Huawei's document describes it, without using our code.
func callbackID(at time.Time, nonce, user, key, separator string) string {
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(ms + nonce + user))
	return "X-HUAWEI-CALLBACK-ID: timestamp=" + ms + separator + "nonce=" + nonce + separator + "value=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestHuaweisSignature(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const nonce = "83ddc4a2-1a2c-4d2e-9a1c-1f2ab3f0e1a7"
	right := callbackID(r.now, nonce, "receipts", secret, "; ")
	for name, c := range map[string]struct {
		header string
		want   int
	}{
		"right":                           {right, 200},
		"right, without blanks":           {callbackID(r.now, nonce, "receipts", secret, ";"), 200},
		"15 minutes late":                 {callbackID(r.now.Add(-15*time.Minute), nonce, "receipts", secret, "; "), 200},
		"15 minutes early":                {callbackID(r.now.Add(15*time.Minute), nonce, "receipts", secret, "; "), 200},
		"later than that":                 {callbackID(r.now.Add(-15*time.Minute-time.Millisecond), nonce, "receipts", secret, "; "), 403},
		"earlier than that":               {callbackID(r.now.Add(15*time.Minute+time.Millisecond), nonce, "receipts", secret, "; "), 403},
		"with another key":                {callbackID(r.now, nonce, "receipts", "another", "; "), 403},
		"with another user":               {callbackID(r.now, nonce, "someone", secret, "; "), 403},
		"with a replaced nonce":           {strings.Replace(right, nonce, "83ddc4a2", 1), 403},
		"with a replaced time":            {strings.Replace(right, "timestamp=1", "timestamp=2", 1), 403},
		"with the time a digit longer":    {strings.Replace(right, "; nonce=8", "8; nonce=", 1), 403},
		"with a value that is not base64": {strings.Replace(right, "value=", "value=!", 1), 403},
		"with an empty value":             {right[:strings.Index(right, "value=")+len("value=")], 403},
		"without a time":                  {strings.Replace(right, "timestamp=", "time=", 1), 403},
		"with an empty header":            {"X-HUAWEI-CALLBACK-ID: ;;;=", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, vendor := range []string{"huawei", "harmony"} {
				r := newRig(t)
				if status, text := r.post(path+vendor, good[vendor], c.header); status != c.want {
					t.Errorf("%s: got %d %s, want %d", vendor, status, text, c.want)
				}
			}
		})
	}
}

func TestHonorsReceiptsAreNotAuthenticatedByASignature(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if status, _ := r.post(path+"honor", good["honor"], callbackID(r.now, "n", "receipts", secret, "; ")); status != http.StatusForbidden {
		t.Errorf("got %d, want 403: Honor signs nothing", status)
	}
}

func TestMeizusAccessToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"right": {secret, 200}, "wrong": {"another", 403}, "empty": {"", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, _ := newRig(t).post(path+"meizu", good["meizu"]+"&access_token="+url.QueryEscape(c.token)); status != c.want {
				t.Errorf("got %d, want %d", status, c.want)
			}
		})
	}
}

func TestTencentsSign(t *testing.T) {
	t.Parallel()
	signed := func(app, key string, at time.Time) string {
		seconds := strconv.FormatInt(at.Unix(), 10)
		sum := sha256.Sum256([]byte(key + seconds))
		return "?SdkAppid=" + app + "&CallbackCommand=Push.OfflinePush&Sign=" + hex.EncodeToString(sum[:]) + "&RequestTime=" + seconds
	}
	now := newRig(t).now
	for name, c := range map[string]struct {
		query string
		want  int
	}{
		"right":                      {signed("1400000001", secret, now), 200},
		"too late":                   {signed("1400000001", secret, now.Add(-16*time.Minute)), 403},
		"of another app":             {signed("1400000002", secret, now), 403},
		"with another key":           {signed("1400000001", "another", now), 403},
		"with a replaced time":       {strings.Replace(signed("1400000001", secret, now), "RequestTime=1", "RequestTime=01", 1), 403},
		"with neither sign nor time": {"?SdkAppid=1400000001", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, text := newRig(t).post(path+"tim"+c.query, good["tim"]); status != c.want {
				t.Errorf("got %d %s, want %d", status, text, c.want)
			}
		})
	}
	t.Run("another app with the secret in the path", func(t *testing.T) {
		t.Parallel()
		if status, _ := newRig(t).post(path+"tim/a%20secret%2Fof%20ours?SdkAppid=1", good["tim"]); status != http.StatusForbidden {
			t.Errorf("got %d, want 403", status)
		}
	})
}

// Anyone can post calls without authentication; they must not fill the log.
func TestRefusedCallsAreCountedAndLoggedAtALimitedRate(t *testing.T) {
	t.Parallel()
	right := "/a%20secret%2Fof%20ours"
	for reason, c := range map[string]struct{ path, body string }{
		"unproven":   {"", good["huawei"]},
		"unreadable": {right, "<html>"},
		"too-long":   {right, strings.Repeat(" ", 4<<20+1)},
		"not-kept":   {right, good["huawei"]},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if reason == "not-kept" {
				r.must(r.rdb.Set(t.Context(), wire.ReceiptStream, "not a stream", 0).Err())
			}
			calls := 2000
			if reason == "too-long" {
				calls = 20
			}
			for range calls {
				r.post(path+"huawei"+c.path, c.body)
			}
			if got := r.lines(); len(got) != 1 || strings.Contains(got[0], "left_out") {
				t.Errorf("%d calls made %d lines, want one: %q", calls, len(got), got[:min(len(got), 3)])
			}
			r.now = r.now.Add(10 * time.Second)
			r.post(path+"huawei"+c.path, c.body)
			got := r.lines()
			if want := fmt.Sprintf(`"left_out":%d`, calls-1); len(got) != 2 || !strings.Contains(got[1], want) || !strings.Contains(got[1], `"vendor":"huawei"`) {
				t.Errorf("after ten seconds the log is %q, want one more line with %s", got, want)
			}
			r.meter.want(t, map[string]int{"refused huawei " + reason: calls + 1})
		})
	}
	t.Run("each account is logged", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		for _, vendor := range []string{"huawei", "oppo", "huawei"} {
			r.post(path+vendor, good[vendor])
		}
		if got := r.lines(); len(got) != 2 {
			t.Errorf("the log is %q, want a line for each vendor", got)
		}
	})
}

func TestAReceiptThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.rdb.Set(t.Context(), wire.ReceiptStream, "not a stream", 0).Err())
	if status, _ := r.post(path+"huawei/a%20secret%2Fof%20ours", good["huawei"]); status != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", status)
	}
}
