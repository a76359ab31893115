package simulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// The words of a refused grant, after answers seen live and RFC 6749.
var honorDenials = map[string]string{
	"unauthorized_client":    "Invalid client or Invalid client credentials",
	"invalid_client":         "Invalid client credentials",
	"invalid_request":        "Missing form parameter: grant_type",
	"unsupported_grant_type": "Unsupported grant_type",
}

func (h honorPlayer) openToken(c *call) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil || !c.contentType("application/x-www-form-urlencoded") {
		form = url.Values{}
	}
	if cred, ok := c.p.apps.client(form.Get("client_id")); ok {
		c.app = cred.App
	}
	c.parsed = form
}

func (h honorPlayer) token(c *call) answer {
	if c.r.Method != http.MethodPost {
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	if !c.contentType("application/x-www-form-urlencoded") {
		c.violate("the content type is not application/x-www-form-urlencoded")
	}
	if c.r.URL.RawQuery != "" {
		c.violate("parameters in the URL, where logs show them")
	}
	app, denial := h.identify(c, c.parsed.(url.Values))
	if denial != "" {
		c.violate("access token refused: " + denial)
		return h.denied(denial)
	}
	token, life, ok := c.grant(app, honorGrants, honorAccessToken)
	if !ok {
		return answer{status: http.StatusTooManyRequests}
	}
	return h.granted(token, life)
}

// identify returns the app that asks, or the error that denies it.
func (h honorPlayer) identify(c *call, form url.Values) (app, denial string) {
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return "", "invalid_request"
	case grant != "client_credentials":
		return "", "unsupported_grant_type"
	}
	cred, ok := c.p.apps.client(form.Get("client_id"))
	if !ok || form.Get("client_secret") != cred.Secret && !c.p.apps.any {
		return "", "unauthorized_client"
	}
	return cred.App, ""
}

// honorAccessToken looks like the document's.
func honorAccessToken(random []byte) string {
	return "CF3X" + base64.StdEncoding.EncodeToString(random[:46])
}

func (h honorPlayer) granted(token string, life time.Duration) answer {
	body := fmt.Sprintf(`{"access_token":"%s","expires_in":%d,"token_type":"Bearer"}`, token, int(life.Seconds()))
	return answer{contentType: "application/json", body: []byte(body)}
}

func (h honorPlayer) denied(denial string) answer {
	status := h.DenialStatus
	if status == 0 {
		status = http.StatusUnauthorized
	}
	body := fmt.Sprintf(`{"error":%q,"error_description":%q}`, denial, honorDenials[denial])
	return answer{status: status, contentType: "application/json", body: []byte(body)}
}
