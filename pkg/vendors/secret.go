package vendors

import "fmt"

// Secret is a setting that never prints. It must stay in an exported field:
// package fmt asks nobody before it prints an unexported one.
type Secret string

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for signing and authenticating only.
func (s Secret) Reveal() string { return string(s) }
