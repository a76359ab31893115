package tim

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

const (
	pushPath = "/v4/timpush/batch"
	chatPath = "/v4/openim/batchsendmsg"
	goodPush = `{"From_Account":"administrator","To_Account":%s,"MsgRandom":3674128,"OfflinePushInfo":{"PushFlag":0,"Title":"t","Desc":"d"},"DataId":"x"}`
	goodChat = `{"SyncOtherMachine":2,"From_Account":"administrator","To_Account":%s,"MsgSeq":28460,"MsgRandom":19901224,"MsgLifeTime":3600,` +
		`"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],"OfflinePushInfo":{"PushFlag":0,"Title":"t","Desc":"d"}}`
)

// sig packs a document as the vendor's own library does, uncompressed.
func sig(t *testing.T, doc string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(doc)); err != nil || w.Close() != nil {
		t.Fatal("not compressed")
	}
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(b.Bytes()))
}

// sigOf makes the UserSig of an app and account that is valid for a day.
func sigOf(t *testing.T, app int64, identifier, secret string, at time.Time) string {
	t.Helper()
	s := userSig{Version: "2.0", Identifier: identifier, AppID: app, Expire: 86400, Time: at.Unix()}
	s.Sig = s.mac(secret)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return sig(t, string(text))
}

func urlQuery(app, identifier, usersig string) url.Values {
	return url.Values{"sdkappid": {app}, "identifier": {identifier}, "usersig": {usersig}, "random": {"99999999"}, "contenttype": {"json"}}
}

// postAsAdmin posts a body as the demo app's administrator.
func postAsAdmin(r *playtest.Rig, path, body string) string {
	r.T.Helper()
	q := urlQuery("100001", "administrator", sigOf(r.T, 100001, "administrator", "demo-secret", r.Now()))
	return r.Must("POST", path+"?"+q.Encode(), body, map[string]string{"Content-Type": "application/json"}).Body
}

func toAccounts(body string, accounts ...string) string {
	list, _ := json.Marshal(accounts)
	return fmt.Sprintf(body, list)
}

func answerCode(t *testing.T, body string) int {
	t.Helper()
	answer := struct {
		Code *int `json:"ErrorCode"`
	}{}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Code == nil {
		t.Fatalf("%v in %q", err, body)
	}
	return *answer.Code
}

// The signature is of the vendor's own library, with the key "testkey".
func TestTIMReadsAUserSig(t *testing.T) {
	t.Parallel()
	doc := `{"TLS.ver":"2.0","TLS.identifier":"administrator","TLS.sdkappid":1400000001,"TLS.expire":86400,"TLS.time":1700000000,"TLS.sig":"f6ZjP6yeVQi/0GgNAhVim26Zm2SlTMhnpVMAXJOFiXQ="}`
	got, err := readSig(sig(t, doc))
	if err != nil || got.mac("testkey") != got.Sig || got.AppID != 1400000001 || got.Identifier != "administrator" {
		t.Errorf("got %+v (%v), want the document with its own signature", got, err)
	}
}

func FuzzReadTIMSig(f *testing.F) {
	f.Add("eJyrVgrx")
	f.Add("eJw*A-B_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := readSig(text); err == nil && s.Version != "2.0" {
			t.Errorf("got %+v of %q", s, text)
		}
	})
}

func TestTIMChecksCallers(t *testing.T) {
	t.Parallel()
	c := playtest.NewClock()
	r := playtest.New(t, play.Options{Now: c.Now, Credentials: map[string][]play.Credential{"tim": {
		{App: "1400000001", Secret: "k"}, {App: "1400000002", Secret: "k", Lacks: []string{play.RightPush}},
	}}}, New(Options{}))
	now := c.Now()
	good := sigOf(t, 1400000001, "administrator", "k", now)
	without := func(name string) url.Values {
		q := urlQuery("1400000001", "administrator", good)
		q.Del(name)
		return q
	}
	tests := []struct {
		name       string
		query      url.Values
		code       int
		violations int64
	}{
		{"a correct one", urlQuery("1400000001", "administrator", good), 0, 0},
		{"no random", without("random"), 0, 1},
		{"no contenttype", without("contenttype"), 60003, 1},
		{"no app", without("sdkappid"), 60012, 1},
		{"an app that does not exist", urlQuery("9", "administrator", good), 70020, 1},
		{"no UserSig", without("usersig"), 70002, 1},
		{"a text that is not a UserSig", urlQuery("1400000001", "administrator", "eJyrVgrx"), 70003, 1},
		{"another app's", urlQuery("1400000001", "administrator", sigOf(t, 1400000002, "administrator", "k", now)), 70014, 1},
		{"another account's", urlQuery("1400000001", "administrator", sigOf(t, 1400000001, "boss", "k", now)), 70013, 1},
		{"another key's", urlQuery("1400000001", "administrator", sigOf(t, 1400000001, "administrator", "x", now)), 70009, 1},
		{"yesterday's", urlQuery("1400000001", "administrator", sigOf(t, 1400000001, "administrator", "k", now.Add(-24*time.Hour))), 70001, 0},
		{"of an account that is not an administrator", urlQuery("1400000001", "u1", sigOf(t, 1400000001, "u1", "k", now)), 60010, 1},
		{"an app without the push service", urlQuery("1400000002", "administrator", sigOf(t, 1400000002, "administrator", "k", now)), 90045, 0},
	}
	for _, tt := range tests {
		r.Reset()
		got := r.Must("POST", pushPath+"?"+tt.query.Encode(), toAccounts(goodPush, "a"), map[string]string{"Content-Type": "application/json"})
		if got.Status != 200 || answerCode(t, got.Body) != tt.code {
			t.Errorf("%s: got %d %s, want %d", tt.name, got.Status, got.Body, tt.code)
		}
		if n := r.Report().Violations(); n != tt.violations {
			t.Errorf("%s: got %d violations, want %d: %v", tt.name, n, tt.violations, r.Report().Vendors["tim"].Violations)
		}
	}
	if got := r.Must("GET", pushPath, "", nil); got.Status != 405 {
		t.Errorf("GET: got %d, want 405", got.Status)
	}
}

func TestTIMChecksBodies(t *testing.T) {
	t.Parallel()
	pushed, chatted := toAccounts(goodPush, "a"), toAccounts(goodChat, "a")
	change := func(body, old, with string) string { return strings.Replace(body, old, with, 1) }
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprintf("u%d", i)
	}
	tests := []struct {
		name, path, body string
		code             int
		violations       int64
	}{
		{"a correct push", pushPath, pushed, 0, 0},
		{"a correct chat message", chatPath, chatted, 0, 0},
		{"no JSON", pushPath, "hello", 90001, 1},
		{"nothing", chatPath, "", 90001, 1},
		{"one account as text", pushPath, change(pushed, `["a"]`, `"a"`), 90012, 1},
		{"no accounts", pushPath, change(pushed, `["a"]`, `[]`), 90003, 1},
		{"an empty account", chatPath, change(chatted, `["a"]`, `["a",""]`), 90003, 1},
		{"500 accounts", pushPath, toAccounts(goodPush, many[:500]...), 0, 0},
		{"501 accounts", pushPath, toAccounts(goodPush, many...), 90011, 1},
		{"an account twice", chatPath, toAccounts(goodChat, "a", "b", "a"), 0, 1},
		{"over 12 KB", pushPath, change(pushed, `"Desc":"d"`, `"Desc":"`+strings.Repeat("d", 12<<10)+`"`), 93000, 1},
		{"accounts do not count", pushPath, toAccounts(goodPush, strings.Repeat("a", 12<<10)), 0, 0},
		{"no sender", pushPath, change(pushed, `"From_Account":"administrator",`, ""), 90008, 1},
		{"no MsgRandom in a push", pushPath, change(pushed, `"MsgRandom":3674128,`, ""), 90001, 1},
		{"no MsgRandom in a chat message", chatPath, change(chatted, `"MsgRandom":19901224,`, ""), 90005, 1},
		{"MsgRandom as text", pushPath, change(pushed, `3674128`, `"3674128"`), 90001, 1},
		{"MsgRandom of 33 bits", chatPath, change(chatted, `19901224`, `4294967296`), 90005, 1},
		{"no OfflinePushInfo", pushPath, change(pushed, `"OfflinePushInfo":{"PushFlag":0,"Title":"t","Desc":"d"},`, ""), 90001, 1},
		{"nothing to show", pushPath, change(pushed, `"Title":"t",`, ""), 0, 1},
		{"PushFlag 2", pushPath, change(pushed, `"PushFlag":0`, `"PushFlag":2`), 90043, 1},
		{"Ext is JSON", pushPath, change(pushed, `"Desc":"d"`, `"Desc":"d","Ext":"{\"a\":1}"`), 0, 0},
		{"Ext is words", pushPath, change(pushed, `"Desc":"d"`, `"Desc":"d","Ext":"words"`), 0, 1},
		{"a DataId of 65 bytes", pushPath, change(pushed, `"DataId":"x"`, `"DataId":"`+strings.Repeat("x", 65)+`"`), 90057, 1},
		{"a push with a MsgBody", pushPath, change(pushed, `"DataId":"x"`, `"MsgBody":[]`), 0, 1},
		{"a chat message without MsgBody", chatPath, change(chatted, `"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}],`, ""), 90002, 1},
		{"a MsgBody that is no list", chatPath, change(chatted, `[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]`, `{}`), 90001, 2},
		{"an element of another type", chatPath, change(chatted, "TIMTextElem", "Text"), 90010, 1},
		{"MsgLifeTime over 7 days", chatPath, change(chatted, "3600", "604801"), 90026, 1},
		{"MsgLifeTime 0", chatPath, change(chatted, "3600", "0"), 0, 1},
		{"ForbidCallbackControl is for one account", chatPath, change(chatted, `"MsgSeq"`, `"ForbidCallbackControl":[],"MsgSeq"`), 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			if got := postAsAdmin(r, tt.path, tt.body); answerCode(t, got) != tt.code {
				t.Errorf("got %s, want %d", got, tt.code)
			}
			if n := r.Report().Violations(); n != tt.violations {
				t.Errorf("got %d violations, want %d: %v", n, tt.violations, r.Report().Vendors["tim"].Violations)
			}
		})
	}
}

func TestTIMNamesAccountsThatDoNotExist(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, body, want string
		opt                    Options
		accounts               []string
	}{
		{"some of a push", pushPath, goodPush, `"ErrorList":[{"To_Account":"bad-1","ErrorCode":70107}]}`, Options{}, []string{"a", "bad-1"}},
		{"some of a push is OK", pushPath, goodPush, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"TaskId":"batch_`, Options{}, []string{"a", "bad-1"}},
		{"some of a chat message", chatPath, goodChat, `{"ActionStatus":"SomeError","ErrorInfo":"","ErrorCode":0,"MsgKey":"`, Options{}, []string{"a", "bad-1"}},
		{"some of a chat message, kept quiet", chatPath, goodChat, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgKey":"`, Options{PlainOK: true}, []string{"a", "bad-1"}},
		{"all of a push", pushPath, goodPush, `{"ActionStatus":"FAIL","ErrorInfo":"invalid To_Account","ErrorCode":90012}`, Options{}, []string{"bad-1"}},
		{"all of a push, listed", pushPath, goodPush, `"ErrorList":[{"To_Account":"bad-1","ErrorCode":70107}]}`, Options{AllListed: true}, []string{"bad-1"}},
		{"all of a chat message", chatPath, goodChat, `{"ActionStatus":"FAIL","ErrorInfo":"invalid To_Account","ErrorCode":90012}`, Options{}, []string{"bad-1", "bad-2"}},
		{"all of a chat message, without a code", chatPath, goodChat, `{"ActionStatus":"FAIL","ErrorInfo":"","ErrorList":[{"To_Account":"bad-1","ErrorCode":70107}]}`, Options{NoCode: true}, []string{"bad-1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(tt.opt))
			if got := postAsAdmin(r, tt.path, toAccounts(tt.body, tt.accounts...)); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s in it", got, tt.want)
			}
		})
	}
}

// The rate counts accounts: one request may go over it, the next is refused.
func TestTIMRateCountsAccounts(t *testing.T) {
	t.Parallel()
	c := playtest.NewClock()
	r := playtest.New(t, play.Options{Rate: 2, Now: c.Now}, New(Options{}))
	for i, want := range []int{0, 60007} {
		body := strings.Replace(toAccounts(goodPush, "a", "b", "c"), "3674128", fmt.Sprint(i), 1)
		if got := postAsAdmin(r, pushPath, body); answerCode(t, got) != want {
			t.Errorf("request %d: got %s, want %d", i+1, got, want)
		}
	}
	if n := r.Report().Vendors["tim"].RateRefused; n != 1 {
		t.Errorf("got %d refused, want 1", n)
	}
}

// A MsgRandom may come again within a second for the same accounts, never for others.
func TestTIMReportsAMsgRandomThatWouldLoseAMessage(t *testing.T) {
	t.Parallel()
	c := playtest.NewClock()
	r := playtest.New(t, play.Options{Now: c.Now}, New(Options{}))
	postAsAdmin(r, pushPath, toAccounts(goodPush, "a", "b"))
	postAsAdmin(r, pushPath, toAccounts(goodPush, "a", "b"))
	r.WantSaid("tim")
	postAsAdmin(r, pushPath, toAccounts(goodPush, "c", "d"))
	r.WantSaid("tim", "MsgRandom: is that of another request within a second, so the vendor drops this one")
	c.Pass(time.Second)
	postAsAdmin(r, pushPath, toAccounts(goodPush, "e"))
	if n := r.Report().Violations(); n != 1 {
		t.Errorf("a second later: got %d violations, want 1", n)
	}
}

func TestTIMKeepsUserSigsOutOfTheJournal(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	postAsAdmin(r, pushPath, toAccounts(goodPush, "a"))
	usersig := sigOf(t, 100001, "administrator", "demo-secret", time.Now())[:40]
	if got := fmt.Sprint(r.Requests()); strings.Contains(got, usersig) || strings.Contains(got, "usersig") {
		t.Errorf("got a UserSig in %s", got)
	}
}

func TestTIMAnswersCodesOfFaults(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	if err := r.SetFaults([]play.Fault{{Vendor: "tim", Endpoint: "send", Code: "91000", Times: 1}}); err != nil {
		t.Fatal(err)
	}
	want := `{"ActionStatus":"FAIL","ErrorInfo":"internal error","ErrorCode":91000}`
	if got := postAsAdmin(r, pushPath, toAccounts(goodPush, "a")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzTIMSend(f *testing.F) {
	f.Add([]byte(toAccounts(goodPush, "a", "bad-1")))
	f.Add([]byte(toAccounts(goodPush, "a")[:60]))
	f.Add([]byte(`{"To_Account":["a"],"To_Account":["b","c"],"MsgRandom":1,"From_Account":"x","OfflinePushInfo":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
		w := playtest.Record(s, playtest.Post(pushPath+"?"+urlQuery("1", "a", "b").Encode(), body, nil))
		var doc struct {
			To []string `json:"To_Account"`
		}
		if answerCode(t, w.Body.String()) != 0 {
			return
		}
		v := s.Report().Vendors["tim"]
		if err := json.Unmarshal(body, &doc); err == nil && v.Accepted+v.Invalid != int64(len(doc.To)) {
			t.Errorf("accepted %q: %d accepted, %d not, want %d in all", body, v.Accepted, v.Invalid, len(doc.To))
		}
	})
}
