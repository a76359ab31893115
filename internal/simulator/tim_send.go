package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zeebo/xxh3"
)

const (
	timMostTokens = 500
	timMostBytes  = 12 << 10 // of the request without its accounts
)

// open finds the app in the URL and the accounts by scanning.
func (t timPlayer) open(c *call) {
	c.app = c.r.URL.Query().Get("sdkappid")
	c.parsed = c.scanList("To_Account")
}

func (t timPlayer) send(c *call, a timAPI) answer {
	if c.r.Method != http.MethodPost {
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	cred, code := t.door(c)
	if code == "" && c.limited(len(c.tokens)) {
		code = "60007"
	}
	if code == "" && !a.chat && slices.Contains(cred.Lacks, RightPush) {
		code = "90045"
	}
	if code != "" {
		return t.envelope(c, code)
	}
	root, code, text := t.shape(c, a)
	if code != "" {
		return t.fail(c, code, text)
	}
	return t.push(c, a, root)
}

// door judges the URL: all of the caller's standing is in it.
func (t timPlayer) door(c *call) (Credential, string) {
	query := c.r.URL.Query()
	if n, err := strconv.ParseUint(query.Get("random"), 10, 32); err != nil || n == 0 {
		c.violate("random: is not a number of 32 bits")
	}
	switch {
	case query.Get("contenttype") != "json":
		c.violate("contenttype: is not json")
		return Credential{}, "60003"
	case query.Get("sdkappid") == "":
		c.violate("sdkappid: is missing")
		return Credential{}, "60012"
	}
	cred, ok := c.p.apps.client(query.Get("sdkappid"))
	if !ok {
		c.violate("sdkappid: no such app")
		return Credential{}, "70020"
	}
	return cred, t.authorize(c, query.Get("identifier"), query.Get("usersig"), cred)
}

// shape judges the body without its accounts.
func (t timPlayer) shape(c *call, a timAPI) (root map[string]any, code, text string) {
	l := c.parsed.(listed)
	root, err := decodeWithout(c.body, l.span)
	if l.broken || err != nil {
		c.violate("the body is not a JSON object")
		return nil, "90001", timCodes["90001"]
	}
	if code := t.targets(c, l); code != "" {
		return nil, code, timCodes[code]
	}
	if n := l.size(c); n > timMostBytes {
		c.violatef("the request without its accounts has %d bytes, more than %d", n, timMostBytes)
		return nil, "93000", timCodes["93000"]
	}
	p := &probe{shapeCode: "90001"}
	a.fields(p, "", root)
	timMeaning(p, root, a)
	if code = c.blame(append(p.shape, p.values...)); code == "90001" && root["MsgRandom"] == nil {
		return nil, code, "Invalid format of MsgRandom" // the document's own words
	}
	return root, code, timCodes[code]
}

func (t timPlayer) targets(c *call, l listed) string {
	switch n := len(c.tokens); {
	case l.notTexts:
		c.violate("To_Account: is not an array of strings")
		return "90012"
	case n == 0, c.emptyToken() >= 0:
		c.violate("To_Account: is missing, or an account in it is empty")
		return "90003"
	case n > timMostTokens:
		c.violatef("To_Account: %d accounts, not 1 to %d", n, timMostTokens)
		return "90011"
	}
	return ""
}

// push counts the accounts that exist and lists the others.
func (t timPlayer) push(c *call, a timAPI, root map[string]any) answer {
	missing := []timEntry{}
	for _, account := range c.weigh() {
		missing = append(missing, timEntry{string(account), 70107})
	}
	if n := c.batch.twins(); n > 0 {
		c.violatef("To_Account: %d accounts stand there twice: their users get the message twice", n)
	}
	if number, ok := root["MsgRandom"].(json.Number); ok && t.randoms.taken(c.app+"/"+number.String(), c.now, c.batch.hashes) {
		c.violate("MsgRandom: is that of another request within the second, which is why this one is lost")
	}
	c.accept()
	tag, _ := root["DataId"].(string)
	c.owe(asked{tag: tag})
	if len(missing) == len(c.tokens) {
		return t.nobody(c, a, missing)
	}
	return t.accepted(c, a, missing)
}

// timRandoms remembers the MsgRandoms of the last second: the vendor takes a
// second request with the same one for a repetition.
type timRandoms struct {
	mu   sync.Mutex
	seen map[string]timRandom
}

type timRandom struct {
	at   time.Time
	sum  xxh3.Uint128
	many int
}

// taken tells whether a MsgRandom was used within the second for other
// accounts. The same accounts again are an honest repetition.
func (r *timRandoms) taken(key string, now time.Time, accounts []xxh3.Uint128) bool {
	one := timRandom{at: now, many: len(accounts)}
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
