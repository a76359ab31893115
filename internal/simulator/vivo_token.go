package simulator

import (
	"crypto/md5" //nolint:gosec // the document demands it
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// vivoSkew is how far a timestamp may be off, either way.
const vivoSkew = 10 * time.Minute

// vivoAuth is a request for an access token.
type vivoAuth struct {
	AppID     any    `json:"appId"`
	AppKey    string `json:"appKey"`
	Timestamp any    `json:"timestamp"`
	Sign      string `json:"sign"`
	broken    bool
	extra     []string // members that are not the vendor's
}

func (v *vivoPlayer) openToken(c *call) {
	a := vivoAuth{}
	root, err := decodeWithout(c.body, span{})
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
	c.app = vivoDigits(a.AppID)
	c.parsed = a
}

// vivoDigits is a number as written, also when it is a string, which vivo forgives.
func vivoDigits(v any) string {
	switch n := v.(type) {
	case json.Number:
		return n.String()
	case string:
		return n
	}
	return ""
}

func (v *vivoPlayer) token(c *call) answer {
	if a, refused := v.formally(c); refused {
		return a
	}
	auth := c.parsed.(vivoAuth)
	if auth.broken {
		c.violate("the body is not a JSON object")
		return vivoBroken()
	}
	cred, code := v.identify(c, auth)
	if code != "" {
		c.violate("access token refused: " + code + " " + vivoCodes[code])
		return v.envelope(c, code)
	}
	for _, name := range auth.extra {
		c.violate(name + ": is no field of the vendor's")
	}
	if _, number := auth.AppID.(json.Number); !number {
		c.violate("appId: must be a number")
	}
	token, _, ok := c.grant(cred.App, vivoGrants, func(random []byte) string { return hex.EncodeToString(random[:20]) })
	if !ok {
		return v.envelope(c, "10093")
	}
	return v.granted(token)
}

// identify returns the app that asks, or the code that refuses it.
func (v *vivoPlayer) identify(c *call, a vivoAuth) (Credential, string) {
	id, timestamp := vivoDigits(a.AppID), vivoDigits(a.Timestamp)
	cred, known := c.p.apps.app(id)
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
	case a.AppKey != cred.Client && !c.p.apps.any:
		return cred, "10202"
	case err != nil || c.now.Sub(time.UnixMilli(ms)).Abs() > vivoSkew:
		return cred, "10207"
	case a.Sign != vivoSign(id, a.AppKey, timestamp, cred.Secret) && !c.p.apps.any:
		return cred, "10206"
	}
	return cred, ""
}

// vivoSign is the lower-case hex MD5 of the four, joined.
func vivoSign(appID, appKey, timestamp, appSecret string) string {
	sum := md5.Sum([]byte(appID + appKey + timestamp + appSecret)) //nolint:gosec // the document demands it
	return hex.EncodeToString(sum[:])
}

func (v *vivoPlayer) granted(token string) answer {
	return vivoAnswer{Result: "0", AuthToken: token}.answer()
}

// formally checks what all posts have in common.
func (v *vivoPlayer) formally(c *call) (a answer, refused bool) {
	switch {
	case c.r.Method != http.MethodPost:
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}, true
	case !c.contentType("application/json"):
		c.violate("the content type is not application/json")
		return answer{status: http.StatusUnsupportedMediaType}, true
	}
	return answer{}, false
}

// vivoBroken is what the document says of a server that stumbles: plain text.
func vivoBroken() answer {
	return answer{status: http.StatusInternalServerError, contentType: "text/plain", body: []byte("Internet server error!")}
}
