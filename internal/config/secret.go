package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
)

// expand replaces ${NAME} from the environment, in a value that was parsed
// already: so what a variable holds cannot become YAML, nor another variable.
// "$${" stands for "${"; every other "$" for itself, since passwords have them.
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
			d.fault(path, "holds a ${ without a variable's name: write ${NAME}, or $${ for the two characters themselves")
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

// variable tells whether a shell could have set a variable of this name.
func variable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// secretFile reads the secret that a key such as password_file names. A
// relative path starts at the configuration's folder; line ends at the
// secret's end are the editor's, not the secret's. Nothing in it is expanded.
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
		// The secret is not missing as well: that follows from this fault.
		d.faulted[strings.TrimSuffix(path, "_file")] = true
	}
	if reason != "" {
		d.fault(path, reason)
	}
}

func (d *decoder) readSecret(name string) (secret, reason string) {
	if name == "" {
		return "", "names no file"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.file), name)
	}
	if d.src.ReadFile == nil {
		return "", "no file can be read here"
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
	return secret, ""
}

// cause leaves the path out of an error: someone may have written the secret
// itself where its file's name belongs.
func cause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return "it is too long"
}
