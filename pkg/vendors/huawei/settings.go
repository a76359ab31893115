package huawei

import (
	"net/http"
	"regexp"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/oauth"
)

// Huawei's production addresses.
const (
	// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
	sendBase = "https://push-api.cloud.huawei.com"
	// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/account-api-obtain-app-token
	grantURL = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"
)

var (
	clientIDForm  = regexp.MustCompile(`^[0-9]{1,64}$`)
	projectIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
)

// Settings are one app's credentials and addresses.
type Settings struct {
	// ClientID is the OAuth client id, which API v1 also has in its path; digits.
	ClientID string `yaml:"client_id"`
	// ClientSecret is the OAuth client secret.
	ClientSecret vendors.Secret `yaml:"client_secret"`
	// ProjectID selects API v2; empty: v1.
	ProjectID string `yaml:"project_id"`
	// BaseURL replaces scheme and host of the send API; empty: Huawei's.
	BaseURL string `yaml:"base_url"`
	// AuthURL is the whole URL of the token endpoint; empty: Huawei's.
	AuthURL string `yaml:"auth_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if !clientIDForm.MatchString(s.ClientID) {
		faults = append(faults, push.Fault{Field: "client_id", Reason: "is required: 1 to 64 digits, the app's OAuth client id"})
	}
	if s.ClientSecret.Empty() {
		faults = append(faults, push.Fault{Field: "client_secret", Reason: "is required: the app's OAuth client secret"})
	}
	if s.ProjectID != "" && !projectIDForm.MatchString(s.ProjectID) {
		faults = append(faults, push.Fault{Field: "project_id", Reason: "must have only letters, digits, - and _, 64 at most; leave it empty for API v1"})
	}
	faults = append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
	return append(faults, httpx.CheckAddress("auth_url", s.AuthURL, true)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	path := "/v1/" + s.ClientID
	if s.ProjectID != "" {
		path = "/v2/" + s.ProjectID
	}
	return &adapter{
		sendURL: httpx.BaseURL(s.BaseURL, sendBase) + path + "/messages:send",
		auth: oauth.Client{
			HTTP: client, URL: httpx.BaseURL(s.AuthURL, grantURL), ID: s.ClientID, Secret: s.ClientSecret, Codes: codes(),
		},
	}
}
