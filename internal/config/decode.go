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

// decoder reads a file once and collects all faults. It binds keys to fields
// itself: the YAML library's strict mode stops at the first fault, and quotes the
// source, which may contain a secret.
type decoder struct {
	file    string
	src     Source
	specs   []vendors.Spec
	anchors map[string]ast.Node
	lines   map[string]int // of every key, by its path
	faults  []Fault
	faulted map[string]bool // the paths in faults
	hidden  []string        // values of secrets and variables: redacted in reasons of other packages
}

// faultAt adds a fault.
func (d *decoder) faultAt(line int, path, reason string) {
	d.faults = append(d.faults, Fault{File: d.file, Line: line, Key: path, Reason: reason})
	d.faulted[path] = true
}

// fault adds a fault at the path's line, or at the line of the block that lacks
// it. A second fault of the same path follows from the first and is omitted.
func (d *decoder) fault(path, reason string) {
	if !d.faulted[path] {
		d.faultAt(d.line(path, nil), path, reason)
	}
}

// redactedFault is fault with a reason from another package, which may contain
// values of the file, plain or quoted.
func (d *decoder) redactedFault(path, reason string) {
	slices.SortFunc(d.hidden, func(a, b string) int { return len(b) - len(a) })
	d.fault(path, httpx.Redact(reason, d.hidden...))
}

// hide stores a value that no fault may contain.
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

// key is a key that a mapping may have.
type key struct {
	read func(path string, n ast.Node)
	// instead is "password" for the key "password_file"; "" for other keys.
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

// mapping calls the reader of each key.
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
			d.fault(at, k.instead+" is set too: keep only one of the two")
		default:
			k.read(at, p.value)
		}
	}
}

// unknown adds a fault for a key that does not exist. The key may be a secret or
// a token in the wrong place.
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
		d.fault(path, "must be a list, like [a, b]")
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

// text returns a scalar exactly as the file has it, so that an identifier such as
// 0123 or 1e5 is not converted to a number, with ${VAR} replaced.
func (d *decoder) text(path string, n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return d.expand(path, n.Value)
	case *ast.LiteralNode:
		return d.expand(path, n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	d.fault(path, "must be a single value, without a tag")
	return "", false
}

// set stores text in a field, or returns what is wrong with it.
func set(field reflect.Value, text string) string {
	if reason := unseenFault(text); reason != "" {
		return reason
	}
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
			return "must be true or false"
		}
		field.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, field.Type().Bits())
		if err != nil {
			return "must be a whole number"
		}
		field.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return "must be a number"
		}
		field.SetFloat(n)
	default:
		return "cannot be set from a file: its field has the type " + field.Type().String()
	}
	return ""
}

// setDuration also accepts 0 without a unit.
func setDuration(field reflect.Value, text string) string {
	t, err := time.ParseDuration(text)
	if err == nil {
		field.SetInt(int64(t))
		return ""
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return "has no unit: write a duration like 500ms, 10s, 15m or 24h"
	}
	return "must be a duration, like 500ms, 10s, 15m or 24h"
}
