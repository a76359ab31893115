package tim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens = 500
	maxBytes  = 12 << 10 // of the request without its accounts
)

// open finds the app in the URL and the accounts by scanning.
func (t player) open(c *play.Call) {
	c.App = c.Request.URL.Query().Get("sdkappid")
	c.Parsed = c.ScanTokens("To_Account")
}

func (t player) send(c *play.Call, a api) play.Answer {
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	cred, code := t.admit(c)
	if code == "" && c.OverRate(len(c.Tokens)) {
		code = "60007"
	}
	if code == "" && !a.chat && slices.Contains(cred.Lacks, play.RightPush) {
		code = "90045"
	}
	if code != "" {
		return t.envelope(c, code)
	}
	root, code, text := t.check(c, a)
	if code != "" {
		return t.fail(c, code, text)
	}
	return t.push(c, a, root)
}

// admit checks the URL, which has everything about the caller.
func (t player) admit(c *play.Call) (play.Credential, string) {
	query := c.Request.URL.Query()
	if n, err := strconv.ParseUint(query.Get("random"), 10, 32); err != nil || n == 0 {
		c.Violate("random: is not a number of 32 bits")
	}
	switch {
	case query.Get("contenttype") != "json":
		c.Violate("contenttype: is not json")
		return play.Credential{}, "60003"
	case query.Get("sdkappid") == "":
		c.Violate("sdkappid: is missing")
		return play.Credential{}, "60012"
	}
	cred, ok := c.AppByClient(query.Get("sdkappid"))
	if !ok {
		c.Violate("sdkappid: no such app")
		return play.Credential{}, "70020"
	}
	return cred, t.authorize(c, query.Get("identifier"), query.Get("usersig"), cred)
}

// check checks the body.
func (t player) check(c *play.Call, a api) (root map[string]any, code, text string) {
	l := c.Parsed.(play.TokenList)
	root, err := play.DecodeWithout(c.Body, l.Span)
	if l.Broken || err != nil {
		c.Violate("the body is not a JSON object")
		return nil, "90001", codeTexts["90001"]
	}
	if code := t.targets(c, l); code != "" {
		return nil, code, codeTexts[code]
	}
	if n := l.Size(c); n > maxBytes {
		c.Violatef("the request without its accounts has %d bytes, more than %d", n, maxBytes)
		return nil, "93000", codeTexts["93000"]
	}
	p := &play.Findings{TypeCode: "90001"}
	a.fields(p, "", root)
	checkMeaning(p, root, a)
	if code = c.RecordFindings(append(p.Types, p.Values...)); code == "90001" && root["MsgRandom"] == nil {
		return nil, code, "Invalid format of MsgRandom" // the document's text
	}
	return root, code, codeTexts[code]
}

func (t player) targets(c *play.Call, l play.TokenList) string {
	switch n := len(c.Tokens); {
	case l.NotStrings:
		c.Violate("To_Account: is not an array of strings")
		return "90012"
	case n == 0, c.EmptyToken() >= 0:
		c.Violate("To_Account: is missing, or an account in it is empty")
		return "90003"
	case n > maxTokens:
		c.Violatef("To_Account: %d accounts, not 1 to %d", n, maxTokens)
		return "90011"
	}
	return ""
}

// push accepts the accounts that exist and lists the others.
func (t player) push(c *play.Call, a api, root map[string]any) play.Answer {
	missing := []missingAccount{}
	for _, account := range c.FindInvalid() {
		missing = append(missing, missingAccount{string(account), 70107})
	}
	if n := c.Duplicates(); n > 0 {
		c.Violatef("To_Account: %d accounts are there twice: their users get the message twice", n)
	}
	if number, ok := root["MsgRandom"].(json.Number); ok && t.randoms.taken(c.App+"/"+number.String(), c.Now, c.Hashes()) {
		c.Violate("MsgRandom: is that of another request within a second, so the vendor drops this one")
	}
	c.Accept()
	tag, _ := root["DataId"].(string)
	c.SendReceipts(play.ReceiptRequest{Tag: tag})
	if len(missing) == len(c.Tokens) {
		return t.noneExists(c, a, missing)
	}
	return t.accepted(c, a, missing)
}

// randoms remembers the MsgRandoms of the last second: the vendor drops a second
// request with the same one as a repetition.
type randoms struct {
	mu   sync.Mutex
	seen map[string]randomUse
}

// randomUse is a request with a MsgRandom: when, and its accounts.
type randomUse struct {
	at   time.Time
	sum  xxh3.Uint128
	many int
}

// taken reports whether a MsgRandom was used within the last second for other
// accounts. A request to the same accounts is a repetition.
func (r *randoms) taken(key string, now time.Time, accounts []xxh3.Uint128) bool {
	one := randomUse{at: now, many: len(accounts)}
	for _, h := range accounts {
		one.sum.Hi ^= h.Hi
		one.sum.Lo ^= h.Lo
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.seen[key]
	if len(r.seen) > 10_000 {
		clear(r.seen)
	}
	r.seen[key] = one
	return ok && now.Sub(old.at) < time.Second && (old.sum != one.sum || old.many != one.many)
}
