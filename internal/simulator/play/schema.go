package play

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Check tests one decoded JSON value (numbers as json.Number) against what a
// vendor's document says about the field at path, and adds what is wrong to the
// findings.
type Check func(p *Findings, path string, v any)

// Member is a member that an object may have.
type Member struct {
	name  string
	check Check
}

// Field returns a member that an object may have.
func Field(name string, c Check) Member { return Member{name, c} }

// Finding is something wrong in a request.
type Finding struct {
	What string
	Code string // what the vendor answers; "" means that it forgives this
}

// Findings are what is wrong in a request. Those about the types of JSON values
// are separate from those about the values, since vendors check the types first.
type Findings struct {
	TypeCode string // the code of every finding in Types
	Types    []Finding
	Values   []Finding
}

// MustBe records that the value at path is not of the type that want names.
func (p *Findings) MustBe(path, want string) {
	p.Types = append(p.Types, Finding{path + ": must be " + want, p.TypeCode})
}

// Wrong records what is wrong with the value at path. An empty code means that
// the vendor forgives it.
func (p *Findings) Wrong(path, what, code string) {
	p.Values = append(p.Values, Finding{path + ": " + what, code})
}

// Object checks an object's members in the order given. A member that is not
// listed is recorded and, as vendors do, forgiven.
func Object(fields ...Member) Check {
	return func(p *Findings, path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			p.MustBe(path, "an object")
			return
		}
		known := 0
		for _, f := range fields {
			if value, ok := m[f.name]; ok {
				known++
				f.check(p, JoinPath(path, f.name), value)
			}
		}
		if known < len(m) {
			p.unlisted(path, m, fields)
		}
	}
}

func (p *Findings) unlisted(path string, m map[string]any, fields []Member) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.ContainsFunc(fields, func(f Member) bool { return f.name == name }) {
			p.Wrong(JoinPath(path, name), "is not one of the vendor's fields", "")
		}
	}
}

// JoinPath is the path of a member of the object at path; the root is "".
func JoinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Text checks a string of at most limit characters; 0 is no limit.
func Text(limit int, code string) Check {
	return func(p *Findings, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.MustBe(path, "a string")
		} else if limit > 0 && utf8.RuneCountInString(s) > limit {
			p.Wrong(path, fmt.Sprintf("is longer than %d characters", limit), code)
		}
	}
}

// OneOf checks a string that must be one of some words.
func OneOf(code string, words ...string) Check {
	return func(p *Findings, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.MustBe(path, "a string")
		} else if !slices.Contains(words, s) {
			p.Wrong(path, "is not one of "+strings.Join(words, ", "), code)
		}
	}
}

// Integer checks a whole number from lowest to highest.
func Integer(lowest, highest int64, code string) Check {
	return func(p *Findings, path string, v any) {
		number, ok := v.(json.Number)
		if !ok {
			p.MustBe(path, "a number")
			return
		}
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || n < lowest || n > highest {
			p.Wrong(path, fmt.Sprintf("is not a whole number from %d to %d", lowest, highest), code)
		}
	}
}

// Boolean checks true or false.
func Boolean(p *Findings, path string, v any) {
	if _, ok := v.(bool); !ok {
		p.MustBe(path, "true or false")
	}
}

// List checks an array of at most limit elements (0 is no limit), and each element.
func List(limit int, code string, each Check) Check {
	return func(p *Findings, path string, v any) {
		elements, ok := v.([]any)
		if !ok {
			p.MustBe(path, "an array")
			return
		}
		if limit > 0 && len(elements) > limit {
			p.Wrong(path, fmt.Sprintf("has more than %d elements", limit), code)
		}
		for i, e := range elements {
			each(p, path+"["+strconv.Itoa(i)+"]", e)
		}
	}
}

// BytesAtMost checks a string of at most limit bytes.
func BytesAtMost(limit int, code string) Check {
	return func(p *Findings, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.MustBe(path, "a string")
		} else if len(s) > limit {
			p.Wrong(path, "is longer than "+strconv.Itoa(limit)+" bytes", code)
		}
	}
}

// HTTPSURL checks a URL that must be https, or empty.
func HTTPSURL(code string) Check {
	return func(p *Findings, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.MustBe(path, "a string")
		} else if s != "" && !strings.HasPrefix(s, "https://") {
			p.Wrong(path, "is not an https URL", code)
		}
	}
}

// Anything accepts every value, where a document does not describe it.
func Anything(*Findings, string, any) {}

// AnyObject accepts an object whose members a document does not describe.
func AnyObject(p *Findings, path string, v any) {
	if _, ok := v.(map[string]any); !ok {
		p.MustBe(path, "an object")
	}
}
