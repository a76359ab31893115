package config

import (
	"strings"

	"github.com/postrider/postrider/pkg/push/text"
)

// suggest returns how a message about an unknown word goes on: with the known
// word that it is a misspelling of, or with all of them.
func suggest(word string, known []string) string {
	if near := text.Nearest(word, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ": want one of " + strings.Join(known, ", ")
}
