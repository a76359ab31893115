package tim

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Tencent's production address for the data center in China, and the paths. Other
// data centers have other addresses: https://cloud.tencent.com/document/product/269/1519
const (
	sendBase = "https://console.tim.qq.com"
	pushPath = "/v4/timpush/batch"
	chatPath = "/v4/openim/batchsendmsg"
)

// The values of Settings.API.
const (
	apiPush = "push"
	apiChat = "chat"
)

// admin is the administrator that every app has by default.
const admin = "administrator"

// identifierForm allows printable ASCII, and at most 32 bytes, which is Tencent's
// limit.
var identifierForm = regexp.MustCompile(`^[!-~]{1,32}$`)

// Settings are one app's credentials and addresses.
type Settings struct {
	// SDKAppID is the app's id at Tencent, over 0.
	SDKAppID int64 `yaml:"sdk_app_id"`
	// Identifier is an administrator of the app, who signs requests and is the
	// sender of messages; empty: administrator.
	Identifier string `yaml:"identifier"`
	// SecretKey makes the UserSig.
	SecretKey vendors.Secret `yaml:"secret_key"`
	// API is how notifications are sent. push or empty: by the push service, without a
	// message in a chat. chat: as a chat message from Identifier with an offline push.
	API string `yaml:"api"`
	// BaseURL replaces scheme and host, for example for another data center. Empty:
	// Tencent's address in China.
	BaseURL string `yaml:"base_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if s.SDKAppID <= 0 {
		faults = append(faults, push.Fault{Field: "sdk_app_id", Reason: "is required: the app's SDKAppID, a number over 0"})
	}
	if s.Identifier != "" && !identifierForm.MatchString(s.Identifier) {
		faults = append(faults, push.Fault{Field: "identifier", Reason: "must be an administrator's UserID, at most 32 bytes without spaces; leave it empty for " + admin})
	}
	if s.SecretKey.Empty() {
		faults = append(faults, push.Fault{Field: "secret_key", Reason: "is required: the app's secret key"})
	}
	if s.API != "" && s.API != apiPush && s.API != apiChat {
		faults = append(faults, push.Fault{Field: "api", Reason: "is unknown: write push or chat"})
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	a := &adapter{client: client, appID: s.SDKAppID, identifier: s.Identifier, secret: s.SecretKey, chat: s.API == apiChat}
	if a.identifier == "" {
		a.identifier = admin
	}
	base := httpx.BaseURL(s.BaseURL, sendBase)
	query := "?contenttype=json&sdkappid=" + strconv.FormatInt(a.appID, 10) + "&identifier=" + url.QueryEscape(a.identifier)
	a.pushURL, a.chatURL = base+pushPath+query, base+chatPath+query
	return a
}
