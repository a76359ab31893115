package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// pair is one key of a mapping with its value, aliases resolved.
type pair struct {
	key   string
	line  int
	value ast.Node
}

// pairs returns a mapping's keys in the file's order and notes their lines.
// Nothing at all (null) is an empty mapping; anything else is a fault.
func (d *decoder) pairs(path string, n ast.Node) []pair {
	var values []*ast.MappingValueNode
	switch n := d.resolve(n).(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.faultAt(d.line(path, n), path, "wants a block of keys, not a single value or a list")
		return nil
	}
	return d.distinct(path, values)
}

func (d *decoder) distinct(path string, values []*ast.MappingValueNode) []pair {
	var list []pair
	seen := map[string]int{}
	for _, v := range values {
		key, line, ok := d.keyOf(path, v)
		if !ok {
			continue
		}
		at := join(path, key)
		if first, twice := seen[key]; twice {
			d.faultAt(line, at, fmt.Sprintf("stands twice: remove this one or the one in line %d", first))
			continue
		}
		seen[key] = line
		d.lines[at] = line
		list = append(list, pair{key: key, line: line, value: d.resolve(v.Value)})
	}
	return list
}

// keyOf returns a key's words as they stand in the file: 0815 stays 0815.
func (d *decoder) keyOf(path string, v *ast.MappingValueNode) (key string, line int, ok bool) {
	if v.Key == nil || v.Key.GetToken() == nil {
		return "", 0, false
	}
	token := v.Key.GetToken()
	line = token.Position.Line
	switch k := v.Key.(type) {
	case *ast.StringNode:
		return k.Value, line, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return token.Value, line, true
	case *ast.MergeKeyNode:
		d.faultAt(line, path, "merging with << is not supported: write the keys, or reuse a whole block with an alias")
	default:
		d.faultAt(line, path, "holds a key that is no plain word")
	}
	return "", line, false
}

// resolve follows aliases and anchors to the node itself; nil for an alias without one.
func (d *decoder) resolve(n ast.Node) ast.Node {
	const deepest = 8 // an alias of an alias of …; a loop ends here too
	for range deepest {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			n = d.anchors[v.Value.GetToken().Value]
		default:
			return n
		}
	}
	return nil
}

// collectAnchors notes every anchor, and faults aliases that have none.
func (d *decoder) collectAnchors(root ast.Node) {
	if root == nil {
		return
	}
	d.anchors = map[string]ast.Node{}
	for _, n := range ast.Filter(ast.AnchorType, root) {
		a, ok := n.(*ast.AnchorNode)
		if !ok || a.Name == nil {
			continue
		}
		name := a.Name.GetToken()
		if _, twice := d.anchors[name.Value]; twice {
			d.faultAt(name.Position.Line, "", "this anchor's name stands twice: choose another")
		}
		d.anchors[name.Value] = a.Value
	}
	for _, n := range ast.Filter(ast.AliasType, root) {
		if a, ok := n.(*ast.AliasNode); ok && d.resolve(a) == nil {
			d.faultAt(a.GetToken().Position.Line, "", "this alias has no anchor")
		}
	}
}

// join appends a key to a path. What a terminal might act on is taken out of
// it, so that a fault stays one line.
func join(path, key string) string {
	key = httpx.Redact(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// parent returns the path without its last key, "" at the top.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i]
	}
	return ""
}
