package honor

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// denials are the errors of a refused access token, from answers that were
// seen and RFC 6749.
var denials = map[string]string{
	"unauthorized_client":    "Invalid client or Invalid client credentials",
	"invalid_client":         "Invalid client credentials",
	"invalid_request":        "Missing form parameter: grant_type",
	"unsupported_grant_type": "Unsupported grant_type",
}

func (h player) openToken(c *play.Call) {
	form := c.Form()
	if cred, ok := c.AppByClient(form.Get("client_id")); ok {
		c.App = cred.App
	}
	c.Parsed = form
}

func (h player) token(c *play.Call) play.Answer {
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	if !c.HasContentType(play.FormType) {
		c.Violate("the content type is not " + play.FormType)
	}
	c.ForbidQuery()
	app, denial := h.identify(c, c.Parsed.(url.Values))
	if denial != "" {
		c.Violate("access token refused: " + denial)
		return h.denied(denial)
	}
	token, life, ok := c.GrantAccess(app, grants, newAccessToken)
	if !ok {
		return play.Answer{Status: http.StatusTooManyRequests}
	}
	return h.granted(token, life)
}

// identify returns the app that asks, or the error that refuses it.
func (h player) identify(c *play.Call, form url.Values) (app, denial string) {
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return "", "invalid_request"
	case grant != "client_credentials":
		return "", "unsupported_grant_type"
	}
	cred, ok := c.AppByClient(form.Get("client_id"))
	if !ok || form.Get("client_secret") != cred.Secret && !c.AnyCredentials() {
		return "", "unauthorized_client"
	}
	return cred.App, ""
}

// newAccessToken has the form of the document's.
func newAccessToken(random []byte) string {
	return "CF3X" + base64.StdEncoding.EncodeToString(random[:46])
}

func (h player) granted(token string, life time.Duration) play.Answer {
	body := fmt.Sprintf(`{"access_token":"%s","expires_in":%d,"token_type":"Bearer"}`, token, int(life.Seconds()))
	return play.Answer{ContentType: "application/json", Body: []byte(body)}
}

func (h player) denied(denial string) play.Answer {
	status := h.DenialStatus
	if status == 0 {
		status = http.StatusUnauthorized
	}
	body := fmt.Sprintf(`{"error":%q,"error_description":%q}`, denial, denials[denial])
	return play.Answer{Status: status, ContentType: "application/json", Body: []byte(body)}
}
