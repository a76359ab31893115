package classify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Table holds the rows of one vendor, including the HTTP and transport defaults. It is immutable and safe for concurrent use.
type Table struct {
	vendor string
	rows   map[key]Row
}

type key struct {
	level Level
	code  string
}

// columns of a codes.tsv, in order.
var columns = []string{"level", "code", "class", "remedy", "scope", "tries", "action", "bucket", "window", "meaning", "source"}

// Parse reads a vendor's codes.tsv: tab-separated, '#' starts a comment line,
// the first other line is the header
//
//	level code class remedy scope tries action bucket window meaning source
//
// tries, action, bucket and window may be "-". All faults are reported at once, each with its line.
func Parse(vendor, tsv string) (*Table, error) {
	t := &Table{vendor: vendor, rows: map[key]Row{}}
	var faults []string
	header := false
	for i, line := range strings.Split(tsv, "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if !header {
			header = true
			if !slices.Equal(f, columns) {
				return nil, fmt.Errorf("%s codes, line %d: the header is %q, want %q", vendor, i+1, f, columns)
			}
			continue
		}
		row, err := parseRow(vendor, f)
		if err != nil {
			faults = append(faults, fmt.Sprintf("line %d: %v", i+1, err))
			continue
		}
		k := key{row.Level, row.Code}
		if _, twice := t.rows[k]; twice {
			faults = append(faults, fmt.Sprintf("line %d: %s/%s appears twice", i+1, row.Level, row.Code))
			continue
		}
		t.rows[k] = row
	}
	if !header {
		return nil, fmt.Errorf("%s codes: the table has no header, want %q", vendor, columns)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s codes: %s", vendor, strings.Join(faults, "; "))
	}
	for _, row := range defaults {
		row.Vendor = vendor
		if _, own := t.rows[key{row.Level, row.Code}]; !own {
			t.rows[key{row.Level, row.Code}] = row
		}
	}
	return t, nil
}

// MustParse is Parse for tables that are compiled in.
func MustParse(vendor, tsv string) *Table {
	t, err := Parse(vendor, tsv)
	if err != nil {
		panic(err)
	}
	return t
}

func parseRow(vendor string, f []string) (Row, error) {
	if len(f) != len(columns) {
		return Row{}, fmt.Errorf("has %d columns, want %d", len(f), len(columns))
	}
	for i, v := range f {
		if v == "" || strings.TrimSpace(v) != v {
			return Row{}, fmt.Errorf("column %s is empty, or begins or ends with a blank: write - where there is no value", columns[i])
		}
	}
	r := Row{
		Vendor: vendor, Level: Level(f[0]), Code: f[1], Class: Class(f[2]), Remedy: Remedy(f[3]), Scope: Scope(f[4]),
		Bucket: given(f[7]), Window: Window(given(f[8])), Meaning: f[9], Source: f[10],
	}
	if f[5] != "-" {
		n, err := strconv.Atoi(f[5])
		if err != nil || n < 1 {
			return Row{}, fmt.Errorf("tries is %q, want a number over 0 or -", f[5])
		}
		r.Tries = n
	}
	r.Action = Action(given(f[6]))
	return r, r.Check()
}

// given returns a column's value; "" for -.
func given(v string) string {
	if v == "-" {
		return ""
	}
	return v
}

// Check reports what is wrong with the row: an unknown word, or a class and a
// remedy that contradict each other.
func (r Row) Check() error {
	known := func(what, v string, words ...string) error {
		if slices.Contains(words, v) {
			return nil
		}
		return fmt.Errorf("%s is %q, want one of %s", what, v, strings.Join(words, ", "))
	}
	levels := make([]string, 0, 7)
	for _, l := range Levels() {
		levels = append(levels, string(l))
	}
	for _, err := range []error{
		known("level", string(r.Level), levels...),
		known("class", string(r.Class), string(Success), string(Retryable), string(Permanent), string(TokenInvalid)),
		known("remedy", string(r.Remedy), string(None), string(Backoff), string(RefreshAuth), string(SlowDown),
			string(WaitQuota), string(Split), string(DropBatch), string(DropToken), string(Config)),
		known("scope", string(r.Scope), string(ScopeToken), string(ScopeBatch), string(ScopeApp)),
		known("action", string(r.Action), "", string(Delete), string(Suppress), string(Replace)),
	} {
		if err != nil {
			return err
		}
	}
	fits := map[Class][]Remedy{
		Success:      {None},
		Retryable:    {Backoff, RefreshAuth, SlowDown, WaitQuota},
		Permanent:    {DropBatch, Split, Config, None, WaitQuota, DropToken},
		TokenInvalid: {DropToken},
	}
	if !slices.Contains(fits[r.Class], r.Remedy) {
		return fmt.Errorf("class %s does not go with remedy %s", r.Class, r.Remedy)
	}
	if r.Class == TokenInvalid && r.Action == NoAction {
		return fmt.Errorf("a token-invalid row needs an action: delete, suppress or replace")
	}
	if r.Class != TokenInvalid && r.Action == Delete {
		return fmt.Errorf("only a token-invalid row may have the action delete")
	}
	if r.Tries != 0 && !r.Remedy.Repeats() {
		return fmt.Errorf("tries is %d, but remedy %s does not send a token again: write -", r.Tries, r.Remedy)
	}
	if r.Remedy != WaitQuota && r.Bucket != "" {
		return fmt.Errorf("only a wait-quota row has a bucket")
	}
	if r.Window != "" && !r.TakesWindow() {
		return fmt.Errorf("only a wait-quota row, or a slow-down row of scope app, has a window")
	}
	return r.Window.Check()
}

// Lookup returns the row of a code. For an unknown code it returns known=false and
// a row that never deletes a token and is never a success: the token is sent once
// more and then ends dead.
func (t *Table) Lookup(level Level, code string) (row Row, known bool) {
	if row, ok := t.rows[key{level, code}]; ok {
		return row, true
	}
	if level == HTTP {
		if row, ok := httpFamily(code); ok {
			row.Vendor = t.vendor
			return row, true
		}
	}
	return Row{
		Vendor: t.vendor, Level: level, Code: code, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Tries: 2,
		Meaning: "an unknown code: the token is sent once more, then it ends dead", Source: "postrider",
	}, false
}

// Explain returns the rows with the given code, or all rows for "", sorted by level
// and code. A code like "20301/other" is one meaning of 20301: it is returned for
// "20301" and for "other".
func (t *Table) Explain(code string) []Row {
	var rows []Row
	for _, r := range t.rows {
		if code == "" || r.Code == code || strings.HasPrefix(r.Code, code+"/") || strings.HasSuffix(r.Code, "/"+code) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Levels(), a.Level), slices.Index(Levels(), b.Level)),
			cmp.Compare(number(a.Code), number(b.Code)),
			cmp.Compare(a.Code, b.Code),
		)
	})
	return rows
}

// number sorts numeric codes by value and others after them.
func number(code string) int {
	n, err := strconv.Atoi(code)
	if err != nil {
		return 1 << 62
	}
	return n
}

// Override returns a copy of the table in which the given rows replace or join
// its own. Each row must pass Check.
func (t *Table) Override(rows ...Row) (*Table, error) {
	c := &Table{vendor: t.vendor, rows: make(map[key]Row, len(t.rows)+len(rows))}
	maps.Copy(c.rows, t.rows)
	for _, r := range rows {
		r.Vendor = t.vendor
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Key(), err)
		}
		c.rows[key{r.Level, r.Code}] = r
	}
	return c, nil
}
