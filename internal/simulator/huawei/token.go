package huawei

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// denials are the pairs of error and sub_error, from "Obtaining an app-level access token"
// of Huawei's account service. 12304 and 57303 are quoted with these texts.
var denials = map[string]string{
	"1101/12304": "invalid client_secret",
	"1101/20002": "invalid client_id",
	"1101/20171": "client_secret is empty",
	"1101/20172": "invalid client_secret format",
	"1101/20182": "unsupported grant_type",
	"1102/20001": "client_id is empty",
	"1102/20181": "grant_type is empty",
	"1203/12303": "client_id does not exist",
	"1302/57303": "appid is overload blocked",
}

var (
	clientIDForm = regexp.MustCompile(`^[0-9]{1,64}$`)
	secretForm   = regexp.MustCompile(`^[0-9a-zA-Z=/+]+$`)
)

func (h player) openToken(c *play.Call) {
	form := c.Form()
	c.App, c.Parsed = form.Get("client_id"), form
}

func (h player) token(c *play.Call) play.Answer {
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	if !c.HasContentType(play.FormType) {
		c.Violate("the content type is not " + play.FormType)
	}
	c.ForbidQuery()
	form := c.Parsed.(url.Values)
	app, denial := h.identify(c, form)
	if denial != "" {
		c.Violate("access token refused: " + denial + " " + denials[denial])
		return h.envelope(c, denial)
	}
	token, life, ok := c.GrantAccess(app, grants, newAccessToken)
	if !ok {
		return h.envelope(c, "1302/57303")
	}
	return h.granted(token, life)
}

// identify returns the app that asks, or the pair of codes that refuses it.
func (h player) identify(c *play.Call, form url.Values) (app, denial string) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return "", "1102/20181"
	case grant != "client_credentials":
		return "", "1101/20182"
	case id == "":
		return "", "1102/20001"
	case !clientIDForm.MatchString(id):
		return "", "1101/20002"
	case secret == "":
		return "", "1101/20171"
	}
	cred, ok := c.AppByClient(id)
	switch {
	case !ok:
		return "", "1203/12303"
	case secret == cred.Secret, c.AnyCredentials():
		return cred.App, ""
	case !secretForm.MatchString(secret):
		return "", "1101/20172"
	}
	return "", "1101/12304"
}

// newAccessToken contains each of the characters that careless clients damage.
func newAccessToken(random []byte) string {
	return "CV0/+" + base64.StdEncoding.EncodeToString(random[:46])
}

// granted escapes the slash as \/, as the vendor does.
func (h player) granted(token string, life time.Duration) play.Answer {
	body := fmt.Sprintf(`{"access_token":"%s","expires_in":%d,"token_type":"Bearer"}`,
		strings.ReplaceAll(token, "/", `\/`), int(life.Seconds()))
	return play.Answer{ContentType: "application/json;charset=UTF-8", Body: []byte(body)}
}

// denied answers as was seen: JSON with the content type of HTML.
func (h player) denied(e, sub string) play.Answer {
	body := fmt.Sprintf(`{"sub_error":%s,"error_description":"%s","error":%s}`, sub, denials[e+"/"+sub], e)
	return play.Answer{Status: http.StatusBadRequest, ContentType: "text/html;charset=UTF-8", Body: []byte(body)}
}
