package config

import (
	"strings"

	"github.com/postrider/postrider/pkg/push/text"
)

// suggest returns the end of a message about an unknown word: the known word that
// was probably meant, or all known words.
func suggest(word string, known []string) string {
	if near := text.Nearest(word, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ": want one of " + strings.Join(known, ", ")
}
