package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	oppoFormType = "application/x-www-form-urlencoded"
	// oppoSkew is how far a timestamp may be off, either way.
	oppoSkew = 10 * time.Minute
)

func (o *oppoPlayer) openToken(c *call) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil || !c.contentType(oppoFormType) {
		form = url.Values{}
	}
	if cred, ok := c.p.apps.client(form.Get("app_key")); ok {
		c.app = cred.App
	}
	c.parsed = form
}

func (o *oppoPlayer) token(c *call) answer {
	if code := o.formally(c); code != "" {
		return o.envelope(c, code)
	}
	form := c.parsed.(url.Values)
	app, code := o.identify(c, form)
	if code != "" {
		c.violate("access token refused: " + code + " " + oppoCodes[code])
		return o.envelope(c, code)
	}
	for _, name := range unlistedKeys(form, "app_key", "timestamp", "sign", "sdk_version") {
		c.violate(name + ": is no field of the vendor's")
	}
	token, _, ok := c.grant(app, oppoGrants, func(random []byte) string { return hex.EncodeToString(random[:12]) })
	if !ok {
		return o.envelope(c, "13")
	}
	return o.granted(token, c.now)
}

// identify returns the app that asks, or the code that refuses it.
func (o *oppoPlayer) identify(c *call, form url.Values) (app, code string) {
	key, timestamp, sign := form.Get("app_key"), form.Get("timestamp"), form.Get("sign")
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	cred, known := c.p.apps.client(key)
	switch {
	case key == "":
		return "", "15"
	case timestamp == "":
		return "", "18"
	case sign == "":
		return "", "17"
	case !known:
		return "", "14"
	case err != nil || c.now.Sub(time.UnixMilli(ms)).Abs() > oppoSkew:
		return "", "19"
	case sign != oppoSign(key, timestamp, cred.Secret) && !c.p.apps.any:
		return "", "16"
	}
	return cred.App, ""
}

// oppoSign is the lower-case hex SHA-256 of the three, joined.
func oppoSign(key, timestamp, masterSecret string) string {
	sum := sha256.Sum256([]byte(key + timestamp + masterSecret))
	return hex.EncodeToString(sum[:])
}

func (o *oppoPlayer) granted(token string, now time.Time) answer {
	var created any = now.UnixMilli()
	if o.TextCodes {
		created = strconv.FormatInt(now.UnixMilli(), 10)
	}
	return o.say("0", "success", map[string]any{"auth_token": token, "create_time": created})
}

// formally checks what all posts have in common.
func (o *oppoPlayer) formally(c *call) string {
	switch {
	case c.r.Method != http.MethodPost:
		c.violate("method is " + c.r.Method + ", not POST")
		return "12"
	case !c.contentType(oppoFormType):
		c.violate("the content type is not " + oppoFormType + " in UTF-8")
		return "25"
	}
	if c.r.URL.RawQuery != "" {
		c.violate("parameters in the URL, where logs show them")
	}
	return ""
}

// authorize finds the app by its access token, which stands in the form, or, as
// older documents have it, in a header.
func (o *oppoPlayer) authorize(c *call, token string) string {
	if token == "" {
		token = c.r.Header.Get("auth_token")
	}
	if token == "" {
		c.violate("no auth_token")
		return "29"
	}
	app, standing := c.sim.auth.check(c.p.name, token, c.now)
	switch standing {
	case valid:
		c.app = app
		return ""
	case expired, revoked:
		c.app = app
		return "11"
	case unknown:
		if c.p.apps.any {
			c.app = "any"
			return ""
		}
		c.violate("the auth_token was never issued")
	}
	return "11"
}

// jsonObject decodes one JSON object and nothing after it.
func jsonObject(text string) (map[string]any, error) {
	return decodeWithout([]byte(text), span{})
}

// jsonValue decodes any JSON value, with numbers as written.
func jsonValue(text string) (v any, err error) {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, errJSON
	}
	m, err := decodeWithout([]byte(`{"v":`+text+`}`), span{})
	return m["v"], err
}
