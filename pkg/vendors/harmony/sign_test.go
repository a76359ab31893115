package harmony

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 999, time.UTC)

// The signature is verified only with crypto/rsa, as the document describes it:
// RSASSA-PSS, SHA-256, and a salt as long as the hash.
func TestGrantSignsByPS256(t *testing.T) {
	t.Parallel()
	s := settings(t)
	grant, err := s.Open(nil).(vendors.Granter).Grant(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	signed, signature, _ := strings.Cut(grant.Access[strings.Index(grant.Access, ".")+1:], ".")
	signed = grant.Access[:strings.Index(grant.Access, ".")+1] + signed
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(s.PrivateKey.Reveal()))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(signed))
	err = rsa.VerifyPSS(&key.(*rsa.PrivateKey).PublicKey, crypto.SHA256, hash[:], sig, &rsa.PSSOptions{SaltLength: 32})
	if err != nil {
		t.Errorf("the signature is not what the document asks for: %v", err)
	}
}

func TestGrantHasTheClaimsOfTheDocument(t *testing.T) {
	t.Parallel()
	s := settings(t)
	grant, err := s.Open(nil).(vendors.Granter).Grant(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(grant.Access, ".")
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	for what, pair := range map[string][2]any{
		"alg": {header["alg"], "PS256"}, "typ": {header["typ"], "JWT"}, "kid": {header["kid"], "key-1"},
		"iss": {claims["iss"], "105000001"},
		"aud": {claims["aud"], "https://oauth-login.cloud.huawei.com/oauth2/v3/token"}, // a string, not a list
		"iat": {claims["iat"], float64(noon.Unix())}, "exp": {claims["exp"], float64(noon.Unix() + 3600)},
		"lifetime": {grant.Lifetime, time.Hour},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestLineEndsOfAKeyMayBeEscaped(t *testing.T) {
	t.Parallel()
	s := settings(t)
	s.PrivateKey = vendors.NewSecret(strings.ReplaceAll(s.PrivateKey.Reveal(), "\n", `\n`))
	if faults := s.Faults(); len(faults) != 0 {
		t.Fatalf("got faults %v, want none", faults)
	}
	if _, err := s.Open(nil).(vendors.Granter).Grant(t.Context(), noon); err != nil {
		t.Error(err)
	}
}

func TestGrantWithoutAKeyIsARefusal(t *testing.T) {
	t.Parallel()
	s := settings(t)
	s.PrivateKey = vendors.NewSecret("none")
	_, err := s.Open(nil).(vendors.Granter).Grant(t.Context(), noon)
	var e *vendors.Error
	if !errors.As(err, &e) || e.Code.String() != "auth/unsigned" {
		t.Errorf("got %v, want auth/unsigned", err)
	}
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	good := settings(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(weak)})
	tests := []struct {
		name   string
		change func(s *Settings)
		want   string
	}{
		{"valid settings have no fault", func(*Settings) {}, ""},
		{"a project id is part of a path", func(s *Settings) { s.ProjectID = "../x" }, "project_id"},
		{"a project id is needed", func(s *Settings) { s.ProjectID = "" }, "project_id"},
		{"a key id is needed", func(s *Settings) { s.KeyID = "" }, "key_id"},
		{"a sub account has no spaces", func(s *Settings) { s.SubAccount = "a b" }, "sub_account"},
		{"a private key is needed", func(s *Settings) { s.PrivateKey = vendors.NewSecret("") }, "private_key"},
		{"a private key is PEM", func(s *Settings) { s.PrivateKey = vendors.NewSecret("MIIE") }, "private_key"},
		{"a private key is whole", func(s *Settings) { s.PrivateKey = vendors.NewSecret(s.PrivateKey.Reveal()[:900]) }, "private_key"},
		{"a private key is long", func(s *Settings) { s.PrivateKey = vendors.NewSecret(string(weakPEM)) }, "private_key"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/b" }, "base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := good
			tt.change(&s)
			got := ""
			for _, f := range s.Faults() {
				got += f.Field
				if key := s.PrivateKey.Reveal(); len(key) > 100 && strings.Contains(f.Reason, key[40:60]) {
					t.Error("the reason quotes the key")
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", `-----BEGIN PRIVATE KEY-----\nMIIE\n-----END`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parseKey(vendors.NewSecret(text))
		if (key == nil) != (err != nil) {
			t.Errorf("got key %v and error %v, want one of them", key != nil, err)
		}
	})
}
