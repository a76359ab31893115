package honor

import (
	"net/http"
	"regexp"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/oauth"
)

// Honor's production addresses: https://my.oschina.net/u/5873522/blog/10140231
// (Honor's own blog, 2023-11-01); those on hihonor.com are older.
const (
	sendBase = "https://push-api.cloud.honor.com"
	grantURL = "https://iam.developer.honor.com/auth/token"
)

var (
	appIDForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	clientIDForm = regexp.MustCompile(`^[!-~]{1,256}$`)
)

// Settings are one app's credentials and addresses. The console shows three
// different values: the app's id, and the push service's client id and secret.
type Settings struct {
	// AppID is in the path of sends.
	AppID string `yaml:"app_id"`
	// ClientID is the push service's client id; it asks for access tokens.
	ClientID string `yaml:"client_id"`
	// ClientSecret is the push service's client secret, not the app's.
	ClientSecret vendors.Secret `yaml:"client_secret"`
	// BaseURL replaces scheme and host of the send API; empty: Honor's.
	BaseURL string `yaml:"base_url"`
	// AuthURL is the whole URL of the token endpoint; empty: Honor's.
	AuthURL string `yaml:"auth_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if !appIDForm.MatchString(s.AppID) {
		faults = append(faults, push.Fault{Field: "app_id", Reason: "is required: letters, digits, - and _, 64 at most; the app's id, not the client's"})
	}
	if !clientIDForm.MatchString(s.ClientID) {
		faults = append(faults, push.Fault{Field: "client_id", Reason: "is required: printable characters without spaces, the push service's client id"})
	}
	if s.ClientSecret.Empty() {
		faults = append(faults, push.Fault{Field: "client_secret", Reason: "is required: the push service's client secret"})
	}
	faults = append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
	return append(faults, httpx.CheckAddress("auth_url", s.AuthURL, true)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	return &adapter{
		sendURL: httpx.BaseURL(s.BaseURL, sendBase) + "/api/v1/" + s.AppID + "/sendMessage",
		auth: oauth.Client{
			HTTP: client, URL: httpx.BaseURL(s.AuthURL, grantURL), ID: s.ClientID, Secret: s.ClientSecret, Codes: codes(),
		},
	}
}
