package playtest

import (
	"encoding/json"
	"net/url"
)

// Requests to Huawei's player: tests of what all players share use it as their
// example.

// HuaweiToken asks for an access token of the demo app.
func (r *Rig) HuaweiToken() string { return r.HuaweiTokenOf("100001", "demo-secret") }

// HuaweiTokenOf asks for an access token of an app.
func (r *Rig) HuaweiTokenOf(id, secret string) string {
	r.T.Helper()
	got := r.AskHuaweiToken(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || answer.AccessToken == "" {
		r.T.Fatalf("no access token in %d %s", got.Status, got.Body)
	}
	return answer.AccessToken
}

// AskHuaweiToken posts a form to the address for access tokens.
func (r *Rig) AskHuaweiToken(form url.Values) Reply {
	r.T.Helper()
	return r.Must("POST", "/oauth2/v3/token", form.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// HuaweiSend posts a body to v1 as the demo app.
func (r *Rig) HuaweiSend(token, body string) Reply {
	r.T.Helper()
	return r.Must("POST", "/v1/100001/messages:send", body, HuaweiHeader(token))
}

// WantHuaweiCode checks an answer's HTTP status and code.
func (r *Rig) WantHuaweiCode(what string, got Reply, status int, want string) {
	r.T.Helper()
	if got.Status != status || CodeOf(r.T, got.Body) != want {
		r.T.Errorf("%s: got %d %s, want %d with code %s", what, got.Status, got.Body, status, want)
	}
}

// HuaweiHeader is the header of a send.
func HuaweiHeader(token string) map[string]string {
	return map[string]string{"Content-Type": "application/json; charset=UTF-8", "Authorization": "Bearer " + token}
}

// HuaweiMessage is a correct message to some tokens, like the document's example.
func HuaweiMessage(tokens ...string) string {
	list, _ := json.Marshal(tokens)
	return `{"validate_only":false,"message":{"android":{"notification":{"title":"t","body":"b","click_action":{"type":3}}},"token":` + string(list) + `}}`
}
