package xiaomi

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Xiaomi's production address for China, and its paths. For phones registered abroad
// Xiaomi has other hosts, which base_url has to name:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
const (
	sendBase = "https://api.xmpush.xiaomi.com"
	sendPath = "/v3/message/regid"
	manyPath = "/v2/multi_messages/regids"
)

// maxPackage is the longest package name that is accepted, in bytes.
const maxPackage = 128

var packageForm = regexp.MustCompile(`^[0-9A-Za-z_]+(\.[0-9A-Za-z_]+)*$`)

// Settings are one app's credentials and address.
type Settings struct {
	// AppSecret is the app's secret, which every request carries.
	AppSecret vendors.Secret `yaml:"app_secret"`
	// PackageName is the Android package of the app.
	PackageName string `yaml:"package_name"`
	// BaseURL replaces scheme and host; empty: Xiaomi's for China.
	BaseURL string `yaml:"base_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	switch secret := s.AppSecret.Reveal(); {
	case secret == "":
		faults = append(faults, push.Fault{Field: "app_secret", Reason: "is required: the app's AppSecret"})
	case strings.HasPrefix(secret, "key="):
		faults = append(faults, push.Fault{Field: "app_secret", Reason: "begins with key=: write only the AppSecret"})
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		faults = append(faults, push.Fault{Field: "app_secret", Reason: "contains white space or characters that are not allowed in a header"})
	}
	if len(s.PackageName) > maxPackage || !packageForm.MatchString(s.PackageName) {
		faults = append(faults, push.Fault{Field: "package_name", Reason: "is required: the app's Android package, like com.example.shop, at most 128 characters"})
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.MixedSender too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	base := httpx.BaseURL(s.BaseURL, sendBase)
	return &adapter{
		client: client, sendURL: base + sendPath, mixedURL: base + manyPath,
		packageName: s.PackageName, secret: s.AppSecret,
	}
}
