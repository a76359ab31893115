package harmony

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

// signingKey is made once: making one takes longer than a test.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// apps are two projects with the same key.
func apps(t *testing.T) map[string][]play.Credential {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&signingKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return map[string][]play.Credential{"harmony": {
		{App: "1", Client: "account-1", Project: "p1", KeyID: "k1", PublicKey: key},
		{App: "2", Client: "account-2", Project: "p2", KeyID: "k2", PublicKey: key, Lacks: []string{play.RightPush}},
	}}
}

// signedJWT signs as the document says, except for what change changes.
func signedJWT(t *testing.T, now time.Time, change func(header, claims map[string]any) (method jwt.SigningMethod)) string {
	t.Helper()
	header := map[string]any{"kid": "k1", "typ": "JWT"}
	claims := map[string]any{"aud": jwtAudience, "iss": "account-1", "iat": now.Unix(), "exp": now.Unix() + 3600}
	var method jwt.SigningMethod
	if change != nil {
		method = change(header, claims)
	}
	if method == nil {
		method = jwt.SigningMethodPS256
	}
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, header)
	s, err := token.SignedString(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sendHeader(access, kind string) map[string]string {
	return map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + access, "push-type": kind}
}

// goodBody is a correct message to some tokens, like the document's example,
// with more members in the notification and the options.
func goodBody(notification, options string, tokens ...string) string {
	list, _ := json.Marshal(append([]string{}, tokens...)) // not null when empty
	return `{"payload":{"notification":{"category":"MARKETING","title":"普通标题","body":"普通内容","clickAction":{"actionType":0}` + notification +
		`}},"pushOptions":{"ttl":86400` + options + `},"target":{"token":` + string(list) + `}}`
}

func TestHarmonyVerifiesTheJWT(t *testing.T) {
	t.Parallel()
	none := func(map[string]any, map[string]any) jwt.SigningMethod { return nil }
	set := func(key string, v any) func(header, claims map[string]any) jwt.SigningMethod {
		return func(_, claims map[string]any) jwt.SigningMethod { claims[key] = v; return nil }
	}
	at := playtest.NewClock().Now().Unix()
	tests := []struct {
		name       string
		change     func(header, claims map[string]any) jwt.SigningMethod
		want       string
		violations int64
	}{
		{"a correct one", none, "80000000", 0},
		{"by RS256", func(_, _ map[string]any) jwt.SigningMethod { return jwt.SigningMethodRS256 }, "80200001", 1},
		{"another kid", func(header, _ map[string]any) jwt.SigningMethod { header["kid"] = "k2"; return nil }, "80200001", 1},
		{"another typ", func(header, _ map[string]any) jwt.SigningMethod { header["typ"] = "at+jwt"; return nil }, "80200001", 1},
		{"another account", set("iss", "account-2"), "80200001", 1},
		{"aud is a list", set("aud", []string{jwtAudience}), "80200001", 1},
		{"iat is text", set("iat", "1"), "80200001", 1},
		{"exp is missing", set("exp", nil), "80200001", 1},
		{"over", set("exp", at-1), "80200005", 0},
		{"a day long", set("exp", at+86400), "80000000", 0},
		{"longer than a day", set("exp", at+86401), "80300036", 1},
		{"a little ahead", set("iat", at+60), "80000000", 0},
		{"from the future", set("iat", at+61), "80200001", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := playtest.NewClock()
			s := play.NewServer(play.Options{Now: clk.Now, Credentials: apps(t)}, New(Options{}))
			access := signedJWT(t, clk.Now(), tt.change)
			w := playtest.Record(s, playtest.Post("/v3/p1/messages:send", []byte(goodBody("", "", "a")), sendHeader(access, "0")))
			if got := playtest.CodeOf(t, w.Body.String()); got != tt.want {
				t.Errorf("got %s, want code %s", w.Body, tt.want)
			}
			if got := s.Report(); got.Violations() != tt.violations {
				t.Errorf("got %d violations, want %d: %v", got.Violations(), tt.violations, got.Vendors["harmony"].Violations)
			}
		})
	}
}

func TestHarmonyRemembersAJWT(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now, Credentials: apps(t)}, New(Options{}))
	access := signedJWT(t, clk.Now(), nil)
	send := func(path, access string) string {
		return playtest.CodeOf(t, playtest.Record(s, playtest.Post(path, []byte(goodBody("", "", "a")), sendHeader(access, "0"))).Body.String())
	}
	for i, step := range []struct {
		do     func()
		path   string
		access string
		want   string
	}{
		{func() {}, "/v3/p1/messages:send", access, "80000000"},
		{func() {}, "/v3/p1/messages:send", access, "80000000"},
		{func() {}, "/v3/p2/messages:send", access, "80200001"},
		{func() { clk.Pass(time.Hour) }, "/v3/p1/messages:send", access, "80200005"},
	} {
		step.do()
		if got := send(step.path, step.access); got != step.want {
			t.Errorf("step %d: got %s, want %s", i+1, got, step.want)
		}
	}
	fresh := signedJWT(t, clk.Now(), nil)
	if got := send("/v3/p1/messages:send", fresh); got != "80000000" {
		t.Errorf("a new one: got %s", got)
	}
	if n := s.RevokeAccessTokens("harmony"); n != 2 {
		t.Errorf("revoked %d, want 2", n)
	}
	if got := send("/v3/p1/messages:send", fresh); got != "80200001" {
		t.Errorf("a revoked one: got %s, want 80200001", got)
	}
	if got := s.Report().Vendors["harmony"].Grants; got != 2 {
		t.Errorf("got %d access tokens seen, want 2", got)
	}
}

// The vendor delivers one message with an appMessageId to a phone within 24 hours,
// and answers the others like it.
func TestHarmonyDeliversARepeatedMessageOnce(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now, Credentials: apps(t)}, New(Options{}))
	const one, two, none = `,"appMessageId":"id-1"`, `,"appMessageId":"id-2"`, ``
	for _, step := range []struct {
		later               time.Duration
		id                  string
		tokens              []string
		want                string
		accepted, swallowed int64
	}{
		{0, one, []string{"a", "b"}, "80000000", 2, 0},
		{0, one, []string{"a", "b"}, "80000000", 2, 2},
		{0, one, []string{"b", "c", "bad-1"}, "80100000", 3, 3}, // another chunk of the job
		{0, two, []string{"a", "b"}, "80000000", 5, 3},          // another job with the same words
		{0, none, []string{"a"}, "80000000", 6, 3},
		{0, none, []string{"a"}, "80000000", 7, 3},
		{24*time.Hour - time.Second, one, []string{"a"}, "80000000", 7, 4},
		{time.Second, one, []string{"a"}, "80000000", 8, 4},
		{0, one, []string{"a"}, "80000000", 8, 5},
	} {
		clk.Pass(step.later)
		access := signedJWT(t, clk.Now(), nil)
		got := playtest.CodeOf(t, playtest.Record(s, playtest.Post("/v3/p1/messages:send", []byte(goodBody(step.id, "", step.tokens...)), sendHeader(access, "0"))).Body.String())
		v := s.Report().Vendors["harmony"]
		if got != step.want || v.Accepted != step.accepted || v.Swallowed != step.swallowed {
			t.Errorf("%v: got %s, accepted %d and swallowed %d", step, got, v.Accepted, v.Swallowed)
		}
	}
	if v := s.Report().Vendors["harmony"]; v.Invalid != 1 || v.ViolationCount != 0 {
		t.Errorf("%d invalid, violations %v; want 1 and none", v.Invalid, v.Violations)
	}
	s.Reset()
	if v := s.Report().Vendors["harmony"]; v.Swallowed != 0 {
		t.Errorf("after a reset %d are swallowed", v.Swallowed)
	}
}

func TestHarmonyCountsAJWTOnceThatManyBringAtOnce(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now, Credentials: apps(t)}, New(Options{}))
	const rounds, senders = 10, 8
	for range rounds {
		access := signedJWT(t, clk.Now(), nil)
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				playtest.Record(s, playtest.Post("/v3/p1/messages:send", []byte(goodBody("", "", "a")), sendHeader(access, "0")))
			})
		}
		all.Wait()
	}
	if got := s.Report().Vendors["harmony"].Grants; got != rounds {
		t.Errorf("got %d access tokens seen, want %d", got, rounds)
	}
}

func TestHarmonyChecksBodies(t *testing.T) {
	t.Parallel()
	many := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("t%d", i)
		}
		return list
	}
	sized := func(n int) string {
		body := goodBody(`,"sound":""`, "", "a")
		return strings.Replace(body, `"sound":""`, `"sound":"`+strings.Repeat("s", n-len(body)+len(`"a"`))+`"`, 1)
	}
	background := func(payload string) string {
		return `{"payload":{` + payload + `},"target":{"token":["a"]}}`
	}
	clicked := func(click string) string {
		return strings.Replace(goodBody("", "", "a"), `{"actionType":0}`, click, 1)
	}
	tests := []struct{ name, kind, body, want string }{
		{"a correct notification", "0", goodBody("", "", "a"), "80000000"},
		{"all options", "0", goodBody(`,"notifyId":0,"appMessageId":"a b+/=-_","style":3,"inboxContent":["1","2","3"],"badge":{"addNum":1,"setNum":0},"sound":"x.mp3","soundDuration":10,"foregroundShow":true`,
			`,"testMessage":true,"biTag":"b","receiptId":"r","collapseKey":-1`, "a"), "80000000"},
		{"background", "6", background(`"extraData":"d","proxyData":"ENABLE"`), "80000000"},
		{"a form update", "1", background(`"formId":1`), "80000000"},

		{"no push-type", "", goodBody("", "", "a"), "80100003"},
		{"an unknown push-type", "3", goodBody("", "", "a"), "80100003"},
		{"nothing", "0", ``, "80100003"},
		{"cut short", "0", goodBody("", "", "a")[:40], "80100003"},
		{"something behind the end", "0", goodBody("", "", "a") + "x", "80100003"},
		{"a token that is text", "0", `{"target":{"token":"a"}}`, "80100003"},
		{"a target that is a list", "0", `{"target":["a"]}`, "80100003"},
		{"a ttl in API v1's form", "0", strings.Replace(goodBody("", "", "a"), "86400", `"86400s"`, 1), "80100003"},
		{"click data that is text", "0", clicked(`{"actionType":0,"data":"{}"}`), "80100003"},

		{"no target", "0", `{"payload":{}}`, "80300010"},
		{"a message in API v1's form", "0", `{"message":{"data":"d","token":["a"]}}`, "80300010"},
		{"no tokens", "0", goodBody("", ""), "80300010"},
		{"1,000 tokens", "0", goodBody("", "", many(1000)...), "80000000"},
		{"1,001 tokens", "0", goodBody("", "", many(1001)...), "80300010"},
		{"two tokens of a form update", "1", `{"payload":{},"target":{"token":["a","b"]}}`, "80300010"},
		{"an empty token", "0", goodBody("", "", "a", ""), "80100001"},
		{"4,096 bytes without the tokens", "0", sized(4096), "80000000"},
		{"4,097 bytes without the tokens", "0", sized(4097), "80300008"},

		{"no payload", "0", `{"target":{"token":["a"]}}`, "80100003"},
		{"no notification", "0", background(``), "80100003"},
		{"no extra data", "6", background(``), "80100003"},
		{"no category", "0", strings.Replace(goodBody("", "", "a"), `"category":"MARKETING",`, "", 1), "80100003"},
		{"a category of only API v1", "0", strings.Replace(goodBody("", "", "a"), `MARKETING`, "PLAY_VOICE", 1), "80100003"},
		{"no title", "0", strings.Replace(goodBody("", "", "a"), `"title":"普通标题",`, "", 1), "80100003"},
		{"no click action", "0", strings.Replace(goodBody("", "", "a"), `,"clickAction":{"actionType":0}`, "", 1), "80100003"},
		{"a page without its name", "0", clicked(`{"actionType":1}`), "80100003"},
		{"a page by its uri", "0", clicked(`{"actionType":1,"uri":"https://x.example"}`), "80000000"},
		{"a live view's click", "0", clicked(`{"actionType":5}`), "80100003"},
		{"a message id with a point", "0", goodBody(`,"appMessageId":"a.b"`, "", "a"), "80100003"},
		{"an empty message id", "0", goodBody(`,"appMessageId":""`, "", "a"), "80100003"},
		{"badge adding 100", "0", goodBody(`,"badge":{"addNum":100}`, "", "a"), "80100003"},
		{"style 2", "0", goodBody(`,"style":2`, "", "a"), "80100003"},
		{"four inbox lines", "0", goodBody(`,"style":3,"inboxContent":["","","",""]`, "", "a"), "80100003"},
		{"an image over http", "0", goodBody(`,"image":"http://x.example/i"`, "", "a"), "80100003"},
		{"a biTag of 65 bytes", "0", goodBody("", `,"biTag":"`+strings.Repeat("b", 65)+`"`, "a"), "80100003"},
		{"ttl 0", "0", strings.Replace(goodBody("", "", "a"), "86400", "0", 1), "80100004"},
		{"ttl of 15 days and a second", "0", strings.Replace(goodBody("", "", "a"), "86400", "1296001", 1), "80100003"},
		{"collapseKey 101", "0", goodBody("", `,"collapseKey":101`, "a"), "80100003"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			w := playtest.Record(s, playtest.Post("/v3/1/messages:send", []byte(tt.body), sendHeader("x", tt.kind)))
			if got := playtest.CodeOf(t, w.Body.String()); got != tt.want {
				t.Errorf("got %s, want code %s", w.Body, tt.want)
			}
			violations := s.Report().Violations()
			if (tt.want == "80000000") != (violations == 0) {
				t.Errorf("got %d violations: %v", violations, s.Report().Vendors["harmony"].Violations)
			}
		})
	}
}

func TestHarmonyForgivesButReports(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"a field that is not the vendor's", goodBody(`,"channel_id":"c"`, "", "a"), "payload.notification.channel_id: is not one of the vendor's fields"},
		{"at the root", `{"validate_only":false,` + goodBody("", "", "a")[1:], "validate_only: is not one of the vendor's fields"},
		{"an option of another push-type", goodBody("", `,"backgroundMode":0`, "a"), "pushOptions.backgroundMode: works only with push-type 6"},
		{"a duration without a sound", goodBody(`,"soundDuration":1`, "", "a"), "payload.notification.soundDuration: works only with sound"},
		{"the same token twice", goodBody("", "", "a", "b", "a"), "target.token: 1 tokens are there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			w := playtest.Record(s, playtest.Post("/v3/1/messages:send", []byte(tt.body), sendHeader("x", "0")))
			if got := playtest.CodeOf(t, w.Body.String()); got != "80000000" {
				t.Errorf("got %s, want success", w.Body)
			}
			if got := s.Report().Vendors["harmony"].Violations; len(got) != 1 || got[0].What != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestHarmonyListsTokensAsDocumented(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opt    Options
		tokens []string
		want   string
	}{
		{"some", Options{}, []string{"a", "bad-1"}, `{"illegalTokens":{" tokenFormatError ":["bad-1"]},"success":1,"failure":1}`},
		{"all", Options{PlainReasons: true}, []string{"noRight-1", "noRight-2"}, `{"failure":2,"illegalTokens":{"noRight":["noRight-1","noRight-2"]}}`},
		{"all in words", Options{PlainInvalid: true}, []string{"bad-1"}, "All the tokens are invalid."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{AnyCredentials: true}, New(tt.opt))
			w := playtest.Record(s, playtest.Post("/v3/1/messages:send", []byte(goodBody("", "", tt.tokens...)), sendHeader("x", "0")))
			var got struct{ Msg string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Msg != tt.want {
				t.Errorf("got %s (%v), want msg %s", w.Body, err, tt.want)
			}
		})
	}
}

func TestHarmonyCountsTestMessagesByBeijingsDay(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock() // 03:04 UTC, 11:04 in Beijing
	s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{TestMessages: 2}))
	for i, step := range []struct {
		wait time.Duration
		app  string
		want string
	}{
		{0, "1", "80000000"},
		{0, "1", "80000000"},
		{0, "1", "80300029"},
		{0, "2", "80000000"},
		{12 * time.Hour, "1", "80300029"},
		{time.Hour, "1", "80000000"},
	} {
		clk.Pass(step.wait)
		w := playtest.Record(s, playtest.Post("/v3/"+step.app+"/messages:send", []byte(goodBody("", `,"testMessage":true`, "a")), sendHeader("x", "0")))
		if got := playtest.CodeOf(t, w.Body.String()); got != step.want {
			t.Errorf("message %d: got %s, want %s", i+1, got, step.want)
		}
	}
}

func TestHarmonyNeedsTheRightToPush(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now, Credentials: apps(t)}, New(Options{}))
	access := signedJWT(t, clk.Now(), func(header, claims map[string]any) jwt.SigningMethod {
		header["kid"], claims["iss"] = "k2", "account-2"
		return nil
	})
	w := playtest.Record(s, playtest.Post("/v3/p2/messages:send", []byte(goodBody("", "", "a")), sendHeader(access, "0")))
	if got := playtest.CodeOf(t, w.Body.String()); got != "80300002" {
		t.Errorf("got %s, want 80300002", got)
	}
}

// FuzzHarmonySend checks against encoding/json that what is accepted was JSON,
// and that each of its tokens was seen as it is written there.
func FuzzHarmonySend(f *testing.F) {
	f.Add([]byte(goodBody("", "", "a", "b")))
	f.Add([]byte(goodBody("", "", "bad-1", "noRight-1", "é\"")))
	f.Add([]byte(`{"target":{"token":["a"]},"payload":{"extraData":"d"},"target":{"token":["c","d"],"token":["e"]}}`))
	f.Add([]byte(`{"payload":{"extraData":"d"},"target":{"token":["a"]},"target":7}`))
	f.Add([]byte(`{"target":{"token":["a]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []string{"0", "6"} {
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			w := playtest.Record(s, playtest.Post("/v3/1/messages:send", body, sendHeader("x", kind)))
			if got := playtest.CodeOf(t, w.Body.String()); got != "80000000" && got != "80100000" {
				continue
			}
			var root, target map[string]json.RawMessage
			var tokens []string
			if json.Unmarshal(body, &root) != nil || json.Unmarshal(root["target"], &target) != nil || json.Unmarshal(target["token"], &tokens) != nil {
				t.Fatalf("accepted %q", body)
			}
			if v := s.Report().Vendors["harmony"]; v.Accepted+v.Invalid != int64(len(tokens)) {
				t.Errorf("accepted %d and refused %d of %d tokens in %q", v.Accepted, v.Invalid, len(tokens), body)
			}
		}
	})
}
