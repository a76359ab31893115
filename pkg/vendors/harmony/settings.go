package harmony

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// sendBase is Huawei's production address:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-struct
const sendBase = "https://push-api.cloud.huawei.com"

// leastKey is the shortest accepted key, in bits; the vendor's keys have 4,096.
const leastKey = 2048

var (
	projectIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	idForm        = regexp.MustCompile(`^[!-~]{1,256}$`)
)

// Settings are one app's credentials and addresses. All but BaseURL are in the
// service account's key file, under the given names.
type Settings struct {
	// ProjectID is the file's project_id.
	ProjectID string `yaml:"project_id"`
	// KeyID is the file's key_id.
	KeyID string `yaml:"key_id"`
	// SubAccount is the file's sub_account.
	SubAccount string `yaml:"sub_account"`
	// PrivateKey is the file's private_key, PEM; its line ends may be written as \n.
	PrivateKey vendors.Secret `yaml:"private_key"`
	// BaseURL replaces scheme and host of the send API; empty: Huawei's.
	BaseURL string `yaml:"base_url"`
}

// Faults reports missing or malformed settings, by their keys in the file.
func (s *Settings) Faults() []push.Fault {
	var faults []push.Fault
	if !projectIDForm.MatchString(s.ProjectID) {
		faults = append(faults, push.Fault{Field: "project_id", Reason: "is required: letters, digits, - and _, 64 at most, as in the service account's key file"})
	}
	if !idForm.MatchString(s.KeyID) {
		faults = append(faults, push.Fault{Field: "key_id", Reason: "is required: printable characters without spaces, as in the service account's key file"})
	}
	if !idForm.MatchString(s.SubAccount) {
		faults = append(faults, push.Fault{Field: "sub_account", Reason: "is required: printable characters without spaces, as in the service account's key file"})
	}
	if reason := keyFault(s.PrivateKey); reason != "" {
		faults = append(faults, push.Fault{Field: "private_key", Reason: reason})
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

// keyFault reports a missing or unusable key. It never quotes the key or the parser's
// error.
func keyFault(secret vendors.Secret) string {
	if secret.Empty() {
		return "is required: the private key in the service account's key file"
	}
	key, err := parseKey(secret)
	switch {
	case err != nil:
		return "is not an RSA key in PEM: copy it whole, from -----BEGIN PRIVATE KEY----- to the end"
	case key.N.BitLen() < leastKey:
		return fmt.Sprintf("has %d bits, want at least %d", key.N.BitLen(), leastKey)
	}
	return ""
}

func parseKey(secret vendors.Secret) (*rsa.PrivateKey, error) {
	pem := strings.ReplaceAll(secret.Reveal(), `\n`, "\n")
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(pem))
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	return key, nil
}

// Open returns the adapter for these settings, which are valid. It is a
// vendors.Granter too. It makes no call.
func (s *Settings) Open(client *http.Client) vendors.Vendor {
	key, err := parseKey(s.PrivateKey)
	if err != nil {
		key = nil // Faults has refused it; Grant returns an error
	}
	return &adapter{
		client:  client,
		sendURL: httpx.BaseURL(s.BaseURL, sendBase) + "/v3/" + s.ProjectID + "/messages:send",
		signer:  signer{key: key, keyID: s.KeyID, issuer: s.SubAccount},
	}
}
