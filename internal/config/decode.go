package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// decoder goes through a file once and gathers every fault on its way. It
// binds keys to fields itself: the YAML library's strict mode stops at the
// first fault, and quotes the source, which may hold a secret.
type decoder struct {
	file    string
	src     Source
	specs   []vendors.Spec
	anchors map[string]ast.Node
	lines   map[string]int // of every key, by its path
	faults  []Fault
	faulted map[string]bool // the paths in faults
	hidden  []string        // secrets and variables: cut out of what others say
}

// faultAt adds a fault.
func (d *decoder) faultAt(line int, path, reason string) {
	d.faults = append(d.faults, Fault{File: d.file, Line: line, Key: path, Reason: reason})
	d.faulted[path] = true
}

// fault adds a fault at the path's own line, or at that of the block it is
// missing from. A second fault of one path follows from the first: it is left out.
func (d *decoder) fault(path, reason string) {
	if !d.faulted[path] {
		d.faultAt(d.line(path, nil), path, reason)
	}
}

// foreign is fault with words of another package, which may hold values, as
// they are or quoted.
func (d *decoder) foreign(path, reason string) {
	slices.SortFunc(d.hidden, func(a, b string) int { return len(b) - len(a) })
	d.fault(path, httpx.Redact(reason, d.hidden...))
}

// hide notes a value that no fault may hold.
func (d *decoder) hide(value string) {
	d.hidden = append(d.hidden, value, strings.Trim(strconv.Quote(value), `"`))
}

func (d *decoder) line(path string, n ast.Node) int {
	for ; path != ""; path = parent(path) {
		if line, ok := d.lines[path]; ok {
			return line
		}
	}
	if n != nil && n.GetToken() != nil {
		return n.GetToken().Position.Line
	}
	return 0
}

// key is what a mapping may hold under one name.
type key struct {
	read func(path string, n ast.Node)
	// instead is the key of which this one is the …_file; "" for others.
	instead string
}

// bind makes keys of a struct's fields, by their yaml tags. Every Secret x also
// gets the key x_file.
func (d *decoder) bind(target any) map[string]key {
	keys := map[string]key{}
	v := reflect.ValueOf(target).Elem()
	for i, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || len(f.Index) > 1 || name == "-" || name == "" {
			continue
		}
		field := v.Field(i)
		keys[name] = key{read: func(path string, n ast.Node) { d.value(path, n, field) }}
		if f.Type == reflect.TypeFor[vendors.Secret]() {
			keys[name+"_file"] = key{
				instead: name,
				read:    func(path string, n ast.Node) { d.secretFile(path, n, field) },
			}
		}
	}
	return keys
}

// mapping hands each key's value to its reader.
func (d *decoder) mapping(path string, n ast.Node, keys map[string]key) {
	pairs := d.pairs(path, n)
	given := func(name string) bool {
		return slices.ContainsFunc(pairs, func(p pair) bool { return p.key == name })
	}
	for _, p := range pairs {
		at := join(path, p.key)
		k, known := keys[p.key]
		switch {
		case !known:
			d.unknown(path, p, slices.Sorted(maps.Keys(keys)))
		case k.instead != "" && given(k.instead):
			d.fault(at, k.instead+" is given too: keep one of the two")
		default:
			k.read(at, p.value)
		}
	}
}

// unknown reports a key that does not exist. It may be a secret or a token in
// the wrong place.
func (d *decoder) unknown(path string, p pair, known []string) {
	d.faultAt(p.line, join(path, text.Name(p.key)), "unknown key"+suggest(p.key, known))
}

// value reads a node into a field; null leaves the default.
func (d *decoder) value(path string, n ast.Node, field reflect.Value) {
	n = d.resolve(n)
	if n == nil || n.Type() == ast.NullType {
		return
	}
	switch kind := field.Kind(); {
	case isSecret(field):
		d.scalar(path, n, field)
	case kind == reflect.Struct:
		d.mapping(path, n, d.bind(field.Addr().Interface()))
	case kind == reflect.Slice:
		d.list(path, n, field)
	case kind == reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		d.value(path, n, field.Elem())
	default:
		d.scalar(path, n, field)
	}
}

func isSecret(field reflect.Value) bool { return field.Type() == reflect.TypeFor[vendors.Secret]() }

func (d *decoder) list(path string, n ast.Node, field reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(path, "wants a list: write [a, b]")
		return
	}
	for i, item := range s.Values {
		at := fmt.Sprintf("%s[%d]", path, i+1)
		if item != nil && item.GetToken() != nil {
			d.lines[at] = item.GetToken().Position.Line
		}
		v := reflect.New(field.Type().Elem()).Elem()
		d.value(at, item, v)
		field.Set(reflect.Append(field, v))
	}
}

func (d *decoder) scalar(path string, n ast.Node, field reflect.Value) {
	text, ok := d.text(path, n)
	if !ok {
		return
	}
	if isSecret(field) {
		d.hide(text)
	}
	if reason := set(field, text); reason != "" {
		d.fault(path, reason)
	}
}

// text returns a plain value as it stands in the file, so that an identifier
// such as 0123 or 1e5 is not read as a number, with ${VAR} replaced.
func (d *decoder) text(path string, n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return d.expand(path, n.Value)
	case *ast.LiteralNode:
		return d.expand(path, n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	d.fault(path, "wants a single value, without a tag")
	return "", false
}

// set stores text in a field and returns what is wrong with it, or "".
func set(field reflect.Value, text string) string {
	switch {
	case field.Type() == reflect.TypeFor[time.Duration]():
		return setDuration(field, text)
	case isSecret(field):
		field.Set(reflect.ValueOf(vendors.NewSecret(text)))
		return ""
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return "wants true or false"
		}
		field.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, field.Type().Bits())
		if err != nil {
			return "wants a whole number"
		}
		field.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return "wants a number"
		}
		field.SetFloat(n)
	default:
		return "cannot be set from a file: its field has the type " + field.Type().String()
	}
	return ""
}

// setDuration takes a bare 0 as well: it needs no unit to be understood.
func setDuration(field reflect.Value, text string) string {
	t, err := time.ParseDuration(text)
	if err == nil {
		field.SetInt(int64(t))
		return ""
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return "is a bare number: write its unit, like 500ms, 10s, 15m or 24h"
	}
	return "wants a duration, like 500ms, 10s, 15m or 24h"
}
