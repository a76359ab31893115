package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
)

// expand replaces ${NAME} with the variable's value after YAML was parsed, so that
// the value is never parsed as YAML or expanded again. "$${" becomes "${"; any
// other "$" is literal, since passwords contain it.
func (d *decoder) expand(path, s string) (string, bool) {
	var b strings.Builder
	ok := true
	for {
		before, rest, found := strings.Cut(s, "${")
		if !found {
			b.WriteString(s)
			return b.String(), ok
		}
		if own, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(own + "${")
			s = rest
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !variable(name) {
			d.fault(path, "contains ${ without a variable's name: write ${NAME}, or $${ for a literal ${")
			return "", false
		}
		value, set := d.lookup(path, name)
		b.WriteString(before + value)
		s, ok = after, ok && set
	}
}

func (d *decoder) lookup(path, name string) (value string, set bool) {
	if d.src.Env != nil {
		value, set = d.src.Env(name)
	}
	if !set {
		d.faultAt(d.line(path, nil), path, "the environment has no variable "+name)
		return "", false
	}
	d.hide(value)
	return value, true
}

// variable reports whether name is a valid name of a shell variable.
func variable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// secretFile reads the secret from the file that a key such as password_file
// names. A relative path starts at the configuration's folder. Line ends at the
// end of the file are removed, since editors add them. Variables are not expanded.
func (d *decoder) secretFile(path string, n ast.Node, field reflect.Value) {
	if n == nil || n.Type() == ast.NullType {
		return
	}
	name, ok := d.text(path, n)
	reason := ""
	if ok {
		var secret string
		secret, reason = d.readSecret(name)
		d.hide(secret)
		field.Set(reflect.ValueOf(vendors.NewSecret(secret)))
	}
	if !ok || reason != "" {
		// Do not report the secret as missing too: that follows from this fault.
		d.faulted[strings.TrimSuffix(path, "_file")] = true
	}
	if reason != "" {
		d.fault(path, reason)
	}
}

func (d *decoder) readSecret(name string) (secret, reason string) {
	if name == "" {
		return "", "is empty: name a file"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.file), name)
	}
	if d.src.ReadFile == nil {
		return "", "files cannot be read here: set the secret itself"
	}
	data, err := d.src.ReadFile(name)
	if err != nil {
		return "", "the file cannot be read: " + cause(err)
	}
	if why := text.Fault(data); why != "" {
		return "", "the file " + why
	}
	if secret = strings.TrimRight(string(text.TrimMark(data)), "\r\n"); secret == "" {
		return "", "the file is empty"
	}
	return secret, unseenFault(secret)
}

// unseenFault finds white space, and characters without a width such as a byte
// order mark, at the ends of a value: they come from copying, nobody sees them,
// and a vendor refuses the secret or id. A value of several lines may have them,
// since its reader skips them: PEM ends with a line end.
func unseenFault(value string) string {
	bare := strings.TrimFunc(value, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	if bare == value || strings.Contains(bare, "\n") {
		return ""
	}
	return "begins or ends with white space, a line end or a byte order mark: remove it"
}

// cause returns an error without its path: the user may have written the secret
// itself in place of the file's name.
func cause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return "it is too long"
}
