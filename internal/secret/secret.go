// Package secret compares secrets that callers send. It does not know whose
// secrets they are.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Equal compares two texts in a time that depends on neither.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
