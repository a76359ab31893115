package oppo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// timestampSkew is how far a timestamp may differ from now.
const timestampSkew = 10 * time.Minute

func (o *player) openToken(c *play.Call) {
	form := c.Form()
	if cred, ok := c.AppByClient(form.Get("app_key")); ok {
		c.App = cred.App
	}
	c.Parsed = form
}

func (o *player) token(c *play.Call) play.Answer {
	if code := o.checkPost(c); code != "" {
		return o.envelope(c, code)
	}
	form := c.Parsed.(url.Values)
	app, code := o.identify(c, form)
	if code != "" {
		c.Violate("access token refused: " + code + " " + codeTexts[code])
		return o.envelope(c, code)
	}
	for _, name := range unlistedKeys(form, "app_key", "timestamp", "sign", "sdk_version") {
		c.Violate(name + ": is not one of the vendor's fields")
	}
	token, _, ok := c.GrantAccess(app, grants, func(random []byte) string { return hex.EncodeToString(random[:12]) })
	if !ok {
		return o.envelope(c, "13")
	}
	return o.granted(token, c.Now)
}

// identify returns the app that asks, or the code that refuses it.
func (o *player) identify(c *play.Call, form url.Values) (app, code string) {
	key, timestamp, sign := form.Get("app_key"), form.Get("timestamp"), form.Get("sign")
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	cred, known := c.AppByClient(key)
	switch {
	case key == "":
		return "", "15"
	case timestamp == "":
		return "", "18"
	case sign == "":
		return "", "17"
	case !known:
		return "", "14"
	case err != nil || c.Now.Sub(time.UnixMilli(ms)).Abs() > timestampSkew:
		return "", "19"
	case sign != signature(key, timestamp, cred.Secret) && !c.AnyCredentials():
		return "", "16"
	}
	return cred.App, ""
}

// signature is the lower-case hex SHA-256 of the three strings, concatenated.
func signature(key, timestamp, masterSecret string) string {
	sum := sha256.Sum256([]byte(key + timestamp + masterSecret))
	return hex.EncodeToString(sum[:])
}

func (o *player) granted(token string, now time.Time) play.Answer {
	var created any = now.UnixMilli()
	if o.TextCodes {
		created = strconv.FormatInt(now.UnixMilli(), 10)
	}
	return o.say("0", "success", map[string]any{"auth_token": token, "create_time": created})
}

// checkPost checks what all POSTs have in common.
func (o *player) checkPost(c *play.Call) string {
	switch {
	case !c.HasMethod(http.MethodPost):
		return "12"
	case !c.HasContentType(play.FormType):
		c.Violate("the content type is not " + play.FormType + " in UTF-8")
		return "25"
	}
	c.ForbidQuery()
	return ""
}

// authorize finds the app by its access token, which is in the form or, as in
// older documents, in a header.
func (o *player) authorize(c *play.Call, token string) string {
	if token == "" {
		token = c.Request.Header.Get("auth_token")
	}
	if token == "" {
		c.Violate("no auth_token")
		return "29"
	}
	app, state := c.CheckAccess(token)
	switch state {
	case play.AccessValid:
		c.App = app
		return ""
	case play.AccessExpired, play.AccessRevoked:
		c.App = app
		return "11"
	case play.AccessUnknown:
		if c.AnyCredentials() {
			c.App = "any"
			return ""
		}
		c.Violate("the auth_token was never issued")
	}
	return "11"
}

// jsonValue decodes any JSON value. Numbers are json.Number.
func jsonValue(text string) (v any, err error) {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	m, err := play.DecodeObject([]byte(`{"v":` + text + `}`))
	return m["v"], err
}
