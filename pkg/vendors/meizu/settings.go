package meizu

import (
	"net/http"
	"regexp"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Meizu's production address and paths: https://github.com/MEIZUPUSH/PushAPI
const (
	sendBase = "https://server-api-push.meizu.com"
	showPath = "/garcia/api/server/push/varnished/pushByPushId"
	passPath = "/garcia/api/server/push/unvarnished/pushByPushId" // pass-through
)

var appIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// Settings are one app's credentials and addresses.
type Settings struct {
	// AppID is the app's id in the Flyme push console.
	AppID string `yaml:"app_id"`
	// AppSecret signs every request. It is the server's secret, not the AppKey
	// that the app itself registers with.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// BaseURL replaces scheme and host; empty: Meizu's.
	BaseURL string `yaml:"base_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if !appIDForm.MatchString(s.AppID) {
		faults = append(faults, push.Fault{Field: "app_id", Reason: "is required: letters, digits, - and _, 64 at most"})
	}
	if s.AppSecret.Empty() {
		faults = append(faults, push.Fault{Field: "app_secret", Reason: "is required: the app's secret for servers"})
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

// Open returns the adapter for these settings, which are valid. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	return &adapter{client: client, base: httpx.BaseURL(s.BaseURL, sendBase), appID: s.AppID, secret: s.AppSecret}
}
