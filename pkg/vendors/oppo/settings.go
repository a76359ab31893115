package oppo

import (
	"net/http"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// OPPO's production addresses in China. The newest page also names
// https://api-push-cn.heytapmobi.com, with the same paths. The overseas address is
// https://api-intl.push.oppomobile.com.
const (
	// https://open.oppomobile.com/new/developmentDoc/info?id=11235
	sendBase = "https://api.push.oppomobile.com"
	// https://open.oppomobile.com/new/developmentDoc/info?id=11235
	feedbackBase = "https://feedback.push.oppomobile.com"
)

// Settings are one app's credentials and addresses.
type Settings struct {
	// AppKey is the app's key from the console.
	AppKey string `yaml:"app_key"`
	// MasterSecret signs grants. It is not the AppSecret, which phones have.
	MasterSecret vendors.Secret `yaml:"master_secret"`
	// BaseURL replaces scheme and host of the push API; empty: OPPO's in China.
	BaseURL string `yaml:"base_url"`
	// FeedbackURL replaces scheme and host of the feedback API, which has the list
	// of invalid registration ids. Empty: OPPO's address; or, if BaseURL is set, no
	// list, since it is not known which host has it.
	FeedbackURL string `yaml:"feedback_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if s.AppKey == "" || strings.TrimSpace(s.AppKey) != s.AppKey {
		faults = append(faults, push.Fault{Field: "app_key", Reason: "is required, without white space around it: the AppKey from OPPO's console"})
	}
	if s.MasterSecret.Empty() || strings.TrimSpace(s.MasterSecret.Reveal()) != s.MasterSecret.Reveal() {
		faults = append(faults, push.Fault{Field: "master_secret", Reason: "is required, without white space around it: the MasterSecret, not the AppSecret"})
	}
	faults = append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
	return append(faults, httpx.CheckAddress("feedback_url", s.FeedbackURL, false)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter, vendors.Uploader, vendors.MixedSender and vendors.ListFetcher too. It makes
// no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	a := &adapter{
		client: client,
		base:   httpx.BaseURL(s.BaseURL, sendBase) + version,
		appKey: s.AppKey,
		secret: s.MasterSecret,
	}
	if s.FeedbackURL != "" || s.BaseURL == "" {
		a.feedback = httpx.BaseURL(s.FeedbackURL, feedbackBase) + version
	}
	return a
}

// version is the prefix of all paths.
const version = "/server/v1"
