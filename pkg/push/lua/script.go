// Package lua runs the project's Lua scripts in Redis. A script is a .lua file
// whose header names its keys and arguments; this package turns the names into
// local variables of the script, puts the shared functions of wire before it, and
// checks that a caller passes what the header names, in that order. It loads
// scripts into Redis. It does not know what any script does.
//
// A header looks like this; the text after a name is for readers:
//
//	-- Adds jobs to a list.
//	--
//	-- Uses: kind
//	-- KEYS
//	--  list          the list
//	-- KEYS of each job
//	--  ledger        the job's ledger
//	-- ARGV
//	--  now number    Unix s
//	-- ARGV of each job
//	--  name          the job's id
//	-- ARGV rest words
//	-- Returns how many were added.
//
// The script finds list and now as local variables, now as a number. Arithmetic and
// Redis's commands take numbers as text as well; only what is compared needs to be a
// number. For the group "job" the script finds the number job_count, and writes
// job_at(i) for the values of a row, counted from 1, and job_keys_at(i) for its keys
// only:
//
//	for i = 1, job_count do
//	  local ledger, name = job_at(i)
//	end
//
// These are no functions: they are replaced by the values, as a function would cost
// time whenever the script runs. So i has to be the name of a variable.
//
// The arguments after all groups are ARGV[words], ARGV[words + 1] and so on.
package lua

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Script is a Lua script with its header. It is safe for concurrent use.
type Script struct {
	name       string
	keys, args []field
	groups     []group
	rest       string // name of the index of the arguments after all groups; "": there are none
	body       string
	script     *redis.Script
}

// field is one key or argument.
type field struct {
	name   string
	number bool // the script gets it as a number
}

// group is keys and arguments that are passed any number of times.
type group struct {
	name       string
	keys, args []field
}

// Load reads a script from a file, and panics if its header cannot be read:
// scripts are part of the program.
func Load(files fs.FS, name string) *Script {
	source, err := fs.ReadFile(files, name)
	if err != nil {
		panic("lua: " + err.Error())
	}
	s, err := Parse(name, string(source))
	if err != nil {
		panic("lua: " + err.Error())
	}
	return s
}

var (
	sectionLine = regexp.MustCompile(`^-- (KEYS|ARGV)(?: of each ([a-z_]+))?$`)
	fieldLine   = regexp.MustCompile(`^--  ([a-z][a-z0-9_]*)( number)?(?: .*)?$`)
	restLine    = regexp.MustCompile(`^-- ARGV rest ([a-z_]+)$`)
)

// Parse reads a script. name is for errors.
func Parse(name, source string) (*Script, error) {
	s := &Script{name: name}
	var uses []string
	var fields *[]field
	lines := strings.SplitAfter(source, "\n")
	n := 0
	for ; n < len(lines) && strings.HasPrefix(lines[n], "--"); n++ {
		line := strings.TrimRight(lines[n], "\n")
		switch section, one, rest := sectionLine.FindStringSubmatch(line), fieldLine.FindStringSubmatch(line), restLine.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "-- Uses: "):
			uses = strings.Split(strings.TrimPrefix(line, "-- Uses: "), ", ")
		case section != nil:
			fields = s.section(section[1], section[2])
		case rest != nil:
			s.rest = rest[1]
		case strings.HasPrefix(line, "-- Returns "):
			fields = nil
		case one != nil && fields == nil:
			return nil, fmt.Errorf("%s: %q is neither a key nor an argument", name, line)
		case one != nil:
			*fields = append(*fields, field{one[1], one[2] != ""})
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: has no header", name)
	}
	s.body = strings.Join(lines[n:], "")
	shared, err := wire.Prelude(uses...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.script = redis.NewScript(strings.Join(lines[:n], "") + shared + faster + s.locals() + s.expand())
	return s, nil
}

// faster makes local variables of Lua's globals, which cost more to look up.
const faster = "local redis, tonumber, KEYS, ARGV = redis, tonumber, KEYS, ARGV\n"

// section returns the fields that a line of the header begins.
func (s *Script) section(kind, of string) *[]field {
	keys, args := &s.keys, &s.args
	if of != "" {
		i := 0
		for i < len(s.groups) && s.groups[i].name != of {
			i++
		}
		if i == len(s.groups) {
			s.groups = append(s.groups, group{name: of})
		}
		keys, args = &s.groups[i].keys, &s.groups[i].args
	}
	if kind == "KEYS" {
		return keys
	}
	return args
}

// Names are all names that the header gives the script, with the functions of
// groups.
func (s *Script) Names() []string {
	var all []string
	for _, f := range append(append([]field{}, s.keys...), s.args...) {
		all = append(all, f.name)
	}
	for _, g := range s.groups {
		all = append(all, g.name+"_at")
	}
	if s.rest != "" {
		all = append(all, s.rest)
	}
	return all
}

// Body is the script without header and shared functions.
func (s *Script) Body() string { return s.body }

// locals is Lua that gives keys and arguments their names.
func (s *Script) locals() string {
	var b strings.Builder
	define(&b, s.keys, "KEYS", "")
	define(&b, s.args, "ARGV", "")
	keyBase, argBase := fmt.Sprint(len(s.keys)), fmt.Sprint(len(s.args)+len(s.groups))
	for i, g := range s.groups {
		fmt.Fprintf(&b, "local %s_count = tonumber(ARGV[%d])\n", g.name, len(s.args)+i+1)
		if len(g.keys) > 0 {
			fmt.Fprintf(&b, "local %s_keys = %s\n", g.name, keyBase)
		}
		if len(g.args) > 0 {
			fmt.Fprintf(&b, "local %s_args = %s\n", g.name, argBase)
		}
		keyBase += fmt.Sprintf(" + %d * %s_count", len(g.keys), g.name)
		argBase += fmt.Sprintf(" + %d * %s_count", len(g.args), g.name)
	}
	if s.rest != "" {
		fmt.Fprintf(&b, "local %s = %s + 1\n", s.rest, argBase)
	}
	return b.String()
}

func define(b *strings.Builder, fields []field, list, base string) {
	if len(fields) == 0 {
		return
	}
	names, values := make([]string, len(fields)), make([]string, len(fields))
	for i, f := range fields {
		names[i], values[i] = f.name, f.value(list, fmt.Sprint(base, i+1))
	}
	fmt.Fprintf(b, "local %s = %s\n", strings.Join(names, ", "), strings.Join(values, ", "))
}

func (f field) value(list, index string) string {
	v := list + "[" + index + "]"
	if f.number {
		v = "tonumber(" + v + ")"
	}
	return v
}

// rowLocals is a statement whose values are those of a row.
var rowLocals = regexp.MustCompile(`(?m)^( *local [\w, ]+ = )([a-z_]+)_at\((\w+)\)$`)

var rowCall = regexp.MustCompile(`\b([a-z_]+?)(_keys)?_at\((\w+)\)`)

// expand replaces <group>_at(i) and <group>_keys_at(i) in the body by the row's
// values.
func (s *Script) expand() string {
	body := rowLocals.ReplaceAllStringFunc(s.body, func(line string) string {
		m := rowLocals.FindStringSubmatch(line)
		for _, g := range s.groups {
			if g.name == m[2] {
				return g.locals(m[3]) + m[1] + strings.Join(g.row("row_keys", "row_args", false), ", ")
			}
		}
		return line
	})
	return rowCall.ReplaceAllStringFunc(body, func(call string) string {
		m := rowCall.FindStringSubmatch(call)
		for _, g := range s.groups {
			if g.name == m[1] {
				keys, args := g.ends(m[3])
				return strings.Join(g.row(keys, args, m[2] != ""), ", ")
			}
		}
		return call
	})
}

// ends returns the indices of the last key and the last argument of row i.
func (g group) ends(i string) (keys, args string) {
	return fmt.Sprintf("%s_keys + %d * %s", g.name, len(g.keys), i), fmt.Sprintf("%s_args + %d * %s", g.name, len(g.args), i)
}

// locals defines these indices as row_keys and row_args.
func (g group) locals(i string) string {
	keys, args := g.ends(i)
	switch {
	case len(g.keys) == 0:
		return "local row_args = " + args + " "
	case len(g.args) == 0:
		return "local row_keys = " + keys + " "
	}
	return "local row_keys, row_args = " + keys + ", " + args + " "
}

// row returns the values of the row whose last key and argument have these indices.
func (g group) row(lastKey, lastArg string, onlyKeys bool) []string {
	var values []string
	add := func(list, last string, fields []field) {
		for n, f := range fields {
			index := last
			if less := len(fields) - 1 - n; less > 0 {
				index += fmt.Sprintf(" - %d", less)
			}
			values = append(values, f.value(list, index))
		}
	}
	add("KEYS", lastKey, g.keys)
	if !onlyKeys {
		add("ARGV", lastArg, g.args)
	}
	return values
}
