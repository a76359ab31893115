package vivo

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// sendBase is vivo's production address: https://dev.vivo.com.cn/documentCenter/doc/362
const sendBase = "https://api-push.vivo.com.cn"

// Settings are one app's credentials and addresses.
type Settings struct {
	// AppID is the app's number, over 0.
	AppID int `yaml:"app_id"`
	// AppKey is the app's key from the console.
	AppKey string `yaml:"app_key"`
	// AppSecret signs grants.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// BaseURL replaces scheme and host; empty: vivo's.
	BaseURL string `yaml:"base_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if s.AppID < 1 {
		faults = append(faults, push.Fault{Field: "app_id", Reason: "is required: the app's number from vivo's console"})
	}
	if s.AppKey == "" || strings.TrimSpace(s.AppKey) != s.AppKey {
		faults = append(faults, push.Fault{Field: "app_key", Reason: "is required, without white space around it: the AppKey from vivo's console"})
	}
	if s.AppSecret.Empty() || strings.TrimSpace(s.AppSecret.Reveal()) != s.AppSecret.Reveal() {
		faults = append(faults, push.Fault{Field: "app_secret", Reason: "is required, without white space around it: the AppSecret from vivo's console"})
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter and a vendors.Uploader too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	return &adapter{
		client: client,
		base:   httpx.BaseURL(s.BaseURL, sendBase) + "/message",
		appID:  strconv.Itoa(s.AppID),
		appKey: s.AppKey,
		secret: s.AppSecret,
	}
}
