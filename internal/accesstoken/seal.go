package accesstoken

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// keySize is AES-256's, in bytes.
const keySize = 32

// sealed begins a value that is encrypted; a plain one is JSON.
const sealed = "aes-256-gcm:"

// token is an access token as Redis stores it. Its end is the key's expiry.
type token struct {
	Access     string `json:"access"`
	LifetimeMS int64  `json:"lifetime_ms"` // as the vendor said, from the grant on
}

// seal writes a token for the given Redis key, encrypted if the store has a key.
func (s *Store) seal(name string, t token) (string, error) {
	plain, err := json.Marshal(t)
	if err != nil || len(s.Key) == 0 {
		return string(plain), err
	}
	aead, err := s.cipher()
	if err != nil {
		return "", err
	}
	// The name is authenticated, too: a value copied to another app's key is void.
	return sealed + base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(name))), nil
}

// open reads what seal wrote. A value that cannot be read, for example because it was
// written with another key, counts as absent.
func (s *Store) open(name, value string) (token, bool) {
	plain := []byte(value)
	if len(s.Key) != 0 {
		coded, ok := strings.CutPrefix(value, sealed)
		box, err := base64.StdEncoding.DecodeString(coded)
		aead, bad := s.cipher()
		if !ok || err != nil || bad != nil {
			return token{}, false
		}
		if plain, err = aead.Open(nil, nil, box, []byte(name)); err != nil {
			return token{}, false
		}
	}
	var t token
	if err := json.Unmarshal(plain, &t); err != nil || t.Access == "" || t.LifetimeMS <= 0 {
		return token{}, false
	}
	return t, true
}

// cipher puts a random nonce before each encrypted value by itself.
func (s *Store) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.Key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
