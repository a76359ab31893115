package account

import (
	"testing"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/vivo"
)

// A fingerprint is stored beside access tokens: another one makes every worker
// fetch new tokens at an upgrade.
func TestAFingerprintIsOfAllSettingsAndNeverChanges(t *testing.T) {
	t.Parallel()
	s := vivo.Settings{AppID: 1, AppKey: "k", AppSecret: vendors.NewSecret("s"), BaseURL: "https://a"}
	const want = "968ebb69376ba067"
	if got := fingerprint(&s); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, change := range map[string]func(*vivo.Settings){
		"the id":      func(s *vivo.Settings) { s.AppID = 2 },
		"the key":     func(s *vivo.Settings) { s.AppKey = "" },
		"the secret":  func(s *vivo.Settings) { s.AppSecret = vendors.NewSecret("t") },
		"the address": func(s *vivo.Settings) { s.BaseURL = "https://b" },
	} {
		other := s
		if change(&other); fingerprint(&other) == want {
			t.Errorf("%s does not count", name)
		}
	}
}
