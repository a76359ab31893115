package wire

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed prelude/*.lua
var preludes embed.FS

// Prelude returns the named Lua functions that scripts share, each once and after
// those that it uses itself. A name is that of a file in the folder prelude. A
// script should name only what it calls: Redis defines the functions again for
// every call.
func Prelude(names ...string) (string, error) {
	var b strings.Builder
	var have []string
	var add func(name string) error
	add = func(name string) error {
		if slices.Contains(have, name) {
			return nil
		}
		have = append(have, name)
		source, err := preludes.ReadFile("prelude/" + name + ".lua")
		if err != nil {
			return fmt.Errorf("no shared Lua functions %q", name)
		}
		first, _, _ := strings.Cut(string(source), "\n")
		if uses, ok := strings.CutPrefix(first, "-- Uses: "); ok {
			for other := range strings.SplitSeq(uses, ", ") {
				if err := add(other); err != nil {
					return err
				}
			}
		}
		b.Write(source)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
