package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A check tests one decoded JSON value (numbers as json.Number) against what a
// vendor's document says of the field at path, and tells the probe what is wrong.
type check func(p *probe, path string, v any)

// field is a member that an object may have.
type field struct {
	name  string
	check check
}

// finding is something wrong in a request. An empty code means that the vendor
// forgives it.
type finding struct {
	what string
	code string
}

// probe collects findings: those about the shape of the JSON, and those about
// values, since vendors look at the first before the second.
type probe struct {
	shapeCode     string
	shape, values []finding
}

func (p *probe) misshapen(path, want string) {
	p.shape = append(p.shape, finding{path + ": must be " + want, p.shapeCode})
}

func (p *probe) wrong(path, what, code string) {
	p.values = append(p.values, finding{path + ": " + what, code})
}

// object checks an object's members in the order given. One that is not listed
// is forgiven, as vendors do, and reported.
func object(fields ...field) check {
	return func(p *probe, path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			p.misshapen(path, "an object")
			return
		}
		known := 0
		for _, f := range fields {
			if member, ok := m[f.name]; ok {
				known++
				f.check(p, join(path, f.name), member)
			}
		}
		if known < len(m) {
			p.unlisted(path, m, fields)
		}
	}
}

func (p *probe) unlisted(path string, m map[string]any, fields []field) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			p.wrong(join(path, name), "is no field of the vendor's", "")
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// text checks a string of at most most characters; 0 means any length.
func text(most int, code string) check {
	return func(p *probe, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.misshapen(path, "a string")
		} else if most > 0 && utf8.RuneCountInString(s) > most {
			p.wrong(path, fmt.Sprintf("is longer than %d characters", most), code)
		}
	}
}

// word checks a string that must be one of some words.
func word(code string, words ...string) check {
	return func(p *probe, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.misshapen(path, "a string")
		} else if !slices.Contains(words, s) {
			p.wrong(path, "is not one of "+strings.Join(words, ", "), code)
		}
	}
}

// integer checks a whole number from lowest to highest.
func integer(lowest, highest int64, code string) check {
	return func(p *probe, path string, v any) {
		number, ok := v.(json.Number)
		if !ok {
			p.misshapen(path, "a number")
			return
		}
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || n < lowest || n > highest {
			p.wrong(path, fmt.Sprintf("is not a whole number from %d to %d", lowest, highest), code)
		}
	}
}

// boolean checks true or false.
func boolean(p *probe, path string, v any) {
	if _, ok := v.(bool); !ok {
		p.misshapen(path, "true or false")
	}
}

// list checks an array of at most most elements (0: any number), each by itself.
func list(most int, code string, each check) check {
	return func(p *probe, path string, v any) {
		elements, ok := v.([]any)
		if !ok {
			p.misshapen(path, "an array")
			return
		}
		if most > 0 && len(elements) > most {
			p.wrong(path, fmt.Sprintf("has more than %d elements", most), code)
		}
		for i, e := range elements {
			each(p, path+"["+strconv.Itoa(i)+"]", e)
		}
	}
}

// secure checks a URL that must be https.
func secure(code string) check {
	return func(p *probe, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.misshapen(path, "a string")
		} else if s != "" && !strings.HasPrefix(s, "https://") {
			p.wrong(path, "is not an https URL", code)
		}
	}
}

// anything accepts whatever a document does not describe.
func anything(*probe, string, any) {}

// inside returns the object within objects that keys lead to, or nil.
func inside(m map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		m, _ = m[k].(map[string]any)
	}
	return m
}

// filled tells whether a member is a string that is not empty.
func filled(m map[string]any, key string) bool {
	s, _ := m[key].(string)
	return s != ""
}
