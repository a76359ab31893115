package simulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// The pairs of error and sub_error, from "Obtaining an app-level access token"
// of Huawei's account service. 12304 and 57303 are quoted with these texts.
var huaweiDenials = map[string]string{
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
	huaweiClientID = regexp.MustCompile(`^[0-9]{1,64}$`)
	huaweiSecret   = regexp.MustCompile(`^[0-9a-zA-Z=/+]+$`)
)

func (h huaweiPlayer) openToken(c *call) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil || !c.contentType("application/x-www-form-urlencoded") {
		form = url.Values{}
	}
	c.app, c.parsed = form.Get("client_id"), form
}

func (h huaweiPlayer) token(c *call) answer {
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
	form := c.parsed.(url.Values)
	app, denial := h.identify(c, form)
	if denial != "" {
		c.violate("access token refused: " + denial + " " + huaweiDenials[denial])
		return h.envelope(c, denial)
	}
	token, life, ok := c.grant(app, huaweiGrants, huaweiAccessToken)
	if !ok {
		return h.envelope(c, "1302/57303")
	}
	return h.granted(token, life)
}

// identify returns the app that asks, or the pair of codes that denies it.
func (h huaweiPlayer) identify(c *call, form url.Values) (app, denial string) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return "", "1102/20181"
	case grant != "client_credentials":
		return "", "1101/20182"
	case id == "":
		return "", "1102/20001"
	case !huaweiClientID.MatchString(id):
		return "", "1101/20002"
	case secret == "":
		return "", "1101/20171"
	}
	cred, ok := c.p.apps.client(id)
	switch {
	case !ok:
		return "", "1203/12303"
	case secret == cred.Secret, c.p.apps.any:
		return cred.App, ""
	case !huaweiSecret.MatchString(secret):
		return "", "1101/20172"
	}
	return "", "1101/12304"
}

// huaweiAccessToken holds each of the characters that careless clients mangle.
func huaweiAccessToken(random []byte) string {
	return "CV0/+" + base64.StdEncoding.EncodeToString(random[:46])
}

// granted writes the slash as \/, as the vendor does.
func (h huaweiPlayer) granted(token string, life time.Duration) answer {
	body := fmt.Sprintf(`{"access_token":"%s","expires_in":%d,"token_type":"Bearer"}`,
		strings.ReplaceAll(token, "/", `\/`), int(life.Seconds()))
	return answer{contentType: "application/json;charset=UTF-8", body: []byte(body)}
}

// denied answers as seen live: JSON under the content type of a page.
func (h huaweiPlayer) denied(e, sub string) answer {
	body := fmt.Sprintf(`{"sub_error":%s,"error_description":"%s","error":%s}`, sub, huaweiDenials[e+"/"+sub], e)
	return answer{status: http.StatusBadRequest, contentType: "text/html;charset=UTF-8", body: []byte(body)}
}
