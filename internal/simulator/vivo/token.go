package vivo

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// timestampSkew is how far a timestamp may differ from now.
const timestampSkew = 10 * time.Minute

// authRequest is a request for an access token.
type authRequest struct {
	AppID     any    `json:"appId"`
	AppKey    string `json:"appKey"`
	Timestamp any    `json:"timestamp"`
	Sign      string `json:"sign"`
	broken    bool
	extra     []string // members that are not the vendor's
}

func (v *player) openToken(c *play.Call) {
	a := authRequest{}
	root, err := play.DecodeObject(c.Body)
	a.broken = err != nil
	for name, value := range root {
		text, _ := value.(string)
		switch name {
		case "appId":
			a.AppID = value
		case "appKey":
			a.AppKey = text
		case "timestamp":
			a.Timestamp = value
		case "sign":
			a.Sign = text
		default:
			a.extra = append(a.extra, name)
		}
	}
	c.App = digits(a.AppID)
	c.Parsed = a
}

// digits is a number as written. vivo accepts a string too.
func digits(v any) string {
	switch n := v.(type) {
	case json.Number:
		return n.String()
	case string:
		return n
	}
	return ""
}

func (v *player) token(c *play.Call) play.Answer {
	if a, refused := v.checkPost(c); refused {
		return a
	}
	auth := c.Parsed.(authRequest)
	if auth.broken {
		c.Violate("the body is not a JSON object")
		return brokenServer()
	}
	cred, code := v.identify(c, auth)
	if code != "" {
		c.Violate("access token refused: " + code + " " + codeTexts[code])
		return v.envelope(c, code)
	}
	for _, name := range auth.extra {
		c.Violate(name + ": is not one of the vendor's fields")
	}
	if _, number := auth.AppID.(json.Number); !number {
		c.Violate("appId: must be a number")
	}
	token, _, ok := c.GrantAccess(cred.App, grants, func(random []byte) string { return hex.EncodeToString(random[:20]) })
	if !ok {
		return v.envelope(c, "10093")
	}
	return v.granted(token)
}

// identify returns the app that asks, or the code that refuses it.
func (v *player) identify(c *play.Call, a authRequest) (play.Credential, string) {
	id, timestamp := digits(a.AppID), digits(a.Timestamp)
	cred, known := c.AppByID(id)
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case id == "":
		return cred, "10200"
	case a.AppKey == "":
		return cred, "10201"
	case timestamp == "":
		return cred, "10203"
	case a.Sign == "":
		return cred, "10204"
	case !known:
		return cred, "10205"
	case a.AppKey != cred.Client && !c.AnyCredentials():
		return cred, "10202"
	case err != nil || c.Now.Sub(time.UnixMilli(ms)).Abs() > timestampSkew:
		return cred, "10207"
	case a.Sign != signature(id, a.AppKey, timestamp, cred.Secret) && !c.AnyCredentials():
		return cred, "10206"
	}
	return cred, ""
}

// signature is the lower-case hex MD5 of the four strings, concatenated.
func signature(appID, appKey, timestamp, appSecret string) string {
	sum := md5.Sum([]byte(appID + appKey + timestamp + appSecret))
	return hex.EncodeToString(sum[:])
}

func (v *player) granted(token string) play.Answer {
	return reply{Result: "0", AuthToken: token}.answer()
}

// checkPost checks what all POSTs have in common.
func (v *player) checkPost(c *play.Call) (a play.Answer, refused bool) {
	switch {
	case !c.HasMethod(http.MethodPost):
		return play.Answer{Status: http.StatusMethodNotAllowed}, true
	case !c.HasContentType("application/json"):
		c.Violate("the content type is not application/json")
		return play.Answer{Status: http.StatusUnsupportedMediaType}, true
	}
	return play.Answer{}, false
}

// brokenServer is the document's answer of a server that failed: plain text.
func brokenServer() play.Answer {
	return play.Answer{Status: http.StatusInternalServerError, ContentType: "text/plain", Body: []byte("Internet server error!")}
}
