package config

import (
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// override is one row of the codes block. It starts as a copy of the table's row,
// so that omitted keys do not change it.
type override struct {
	Class   classify.Class  `yaml:"class"`
	Remedy  classify.Remedy `yaml:"remedy"`
	Scope   classify.Scope  `yaml:"scope"`
	Tries   int             `yaml:"tries"`
	Action  classify.Action `yaml:"action"`
	Bucket  string          `yaml:"bucket"`
	Window  classify.Window `yaml:"window"`
	Meaning string          `yaml:"meaning"`
}

// codes reads the operator's rules into the vendors' tables:
//
//	codes:
//	  huawei:
//	    response/80100003: {class: retryable, remedy: backoff, tries: 2}
func (d *decoder) codes(tables map[string]*classify.Table) func(string, ast.Node) {
	keys := map[string]key{}
	for _, spec := range d.specs {
		keys[spec.Name] = key{read: func(path string, n ast.Node) {
			if t := d.table(path, n, spec, tables[spec.Name]); t != nil {
				tables[spec.Name] = t
			}
		}}
	}
	return func(path string, n ast.Node) { d.mapping(path, n, keys) }
}

func (d *decoder) table(path string, n ast.Node, spec vendors.Spec, t *classify.Table) *classify.Table {
	var rows []classify.Row
	for _, p := range d.pairs(path, n) {
		at := join(path, p.key)
		level, code, ok := strings.Cut(p.key, "/")
		if !ok || level == "" || code == "" {
			d.fault(at, "must be a level, a slash and a code, like response/80100003")
			continue
		}
		row := d.row(at, p.value, known(t, classify.Level(level), code))
		d.require(spec.HasBucket(row.Bucket), at+".bucket", "is not one of the vendor's buckets: see docs/codes/"+spec.Name+".md")
		rows = append(rows, row)
	}
	if t == nil || len(rows) == 0 || len(d.faults) > 0 {
		return nil
	}
	t, err := t.Override(rows...)
	if err != nil {
		d.redactedFault(path, err.Error())
	}
	return t
}

// known returns the row that an override starts from.
func known(t *classify.Table, level classify.Level, code string) classify.Row {
	if t != nil {
		if row, ok := t.Lookup(level, code); ok {
			return row
		}
		row, _ := t.Lookup(level, code)
		row.Meaning = "an operator's rule"
		return row
	}
	return classify.Row{Level: level, Code: code}
}

func (d *decoder) row(path string, n ast.Node, row classify.Row) classify.Row {
	o := override{Class: row.Class, Remedy: row.Remedy, Scope: row.Scope, Tries: notSet, Action: row.Action, Bucket: row.Bucket, Window: row.Window, Meaning: row.Meaning}
	before := len(d.faults)
	d.mapping(path, n, d.bind(&o))
	if o.Action == "none" {
		o.Action = classify.NoAction
	}
	o.inherit(row)
	d.require(o.Tries >= 0, path+".tries", "must be a number of requests, or 0 for only the general limit")
	row.Class, row.Remedy, row.Scope, row.Tries, row.Action, row.Meaning = o.Class, o.Remedy, o.Scope, o.Tries, o.Action, o.Meaning
	row.Bucket, row.Window = o.Bucket, o.Window
	row.Source = fmt.Sprintf("%s:%d", d.file, d.line(path, nil))
	if err := row.Check(); err != nil && len(d.faults) == before {
		d.redactedFault(path, err.Error())
	}
	return row
}

// notSet is the Tries of an override without the key tries.
const notSet = math.MinInt

// inherit takes tries from the table's row if the remedy is the same, and removes
// the row's bucket and window if the new remedy does not use them.
func (o *override) inherit(from classify.Row) {
	if o.Tries == notSet {
		o.Tries = 0
		if o.Remedy == from.Remedy {
			o.Tries = from.Tries
		}
	}
	if o.Remedy != classify.WaitQuota && from.Remedy == classify.WaitQuota {
		o.Bucket, o.Window = "", ""
	}
	if now := (classify.Row{Remedy: o.Remedy, Scope: o.Scope}); !now.TakesWindow() && o.Window == from.Window {
		o.Window = ""
	}
}
