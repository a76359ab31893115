package vendors

import "fmt"

// Secret is a setting that never prints. The zero value is the empty secret.
//
// The text is stored through a pointer. Package fmt does not call the methods of a value
// in an unexported field, but it never follows a pointer to a string: at worst it
// prints an address. So a Secret may be in any field of any struct, and a struct
// that holds one needs no method of its own.
type Secret struct {
	_    [0]func() // == would compare addresses: it does not compile
	text *string   // nil: the empty secret
}

// NewSecret returns a secret with the given text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the secret itself, for signing and authenticating only.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether the secret has no text.
func (s Secret) Empty() bool { return s.text == nil }

// String returns a placeholder, or "" for the empty secret.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "<secret>"
}

// Format prints the placeholder, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText encodes the placeholder, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as the secret, for JSON and YAML.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
