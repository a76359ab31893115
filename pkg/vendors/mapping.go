package vendors

import (
	"fmt"
	"strings"
)

// Mapping says into which field of a vendor's request one field of push.Message
// is written.
type Mapping struct {
	// Field is the field's name in a job: "message.ttl".
	Field string
	// To is the vendor's field and its unit, for people. "-": the vendor has none.
	To string
}

// MustParseMapping reads the mapping.tsv of an adapter: two columns, field
// and to, separated by a tab, under a header. Lines that begin with # are
// comments. It panics on anything else, since the file is part of the program.
func MustParseMapping(tsv string) []Mapping {
	var list []Mapping
	header := false
	for line := range strings.Lines(tsv) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		field, to, ok := strings.Cut(line, "\t")
		if !ok || strings.Contains(to, "\t") || field == "" || to == "" || !header && line != "field\tto" {
			panic(fmt.Sprintf("mapping.tsv: the line %q is not field, a tab, and to; the first line names the columns", line))
		}
		if header {
			list = append(list, Mapping{Field: field, To: to})
		}
		header = true
	}
	return list
}
