package lua

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Call is one run of a script: its keys and arguments, added in the order of the
// header. A name that is not the next one of the header is a mistake of the
// program and panics, so every test that runs the script finds it. A Call may be
// run several times; it is for one goroutine.
type Call struct {
	s    *Script
	keys []string
	args []any
	// group is the index of the group whose row is being filled, -1 before the
	// first. k and a count what its row has, or what was given before the first.
	group, k, a int
	counts      [maxGroups]int // rows of each group
	closed      bool
}

// maxGroups is the most groups of a script.
const maxGroups = 4

// Call begins a call.
func (s *Script) Call() *Call {
	return &Call{
		s: s, group: -1,
		keys: make([]string, 0, len(s.keys)), args: make([]any, 0, len(s.args)+len(s.groups)),
	}
}

// Grow makes room for so many more keys and arguments.
func (c *Call) Grow(keys, args int) *Call {
	c.keys = append(make([]string, 0, len(c.keys)+len(c.s.keys)+keys), c.keys...)
	c.args = append(make([]any, 0, len(c.args)+len(c.s.args)+len(c.s.groups)+args), c.args...)
	return c
}

// Key adds the next key.
func (c *Call) Key(name, key string) *Call {
	want := c.s.keys
	if c.group >= 0 {
		want = c.s.groups[c.group].keys
	}
	if c.k >= len(want) || want[c.k].name != name {
		c.wrong("key", name)
	}
	c.k++
	c.keys = append(c.keys, key)
	return c
}

// Arg adds the next argument. A bool becomes "1" or "0".
func (c *Call) Arg(name string, value any) *Call {
	want := c.s.args
	if c.group >= 0 {
		want = c.s.groups[c.group].args
	}
	if c.a >= len(want) || want[c.a].name != name {
		c.wrong("argument", name)
	}
	c.a++
	if on, ok := value.(bool); ok {
		value = "0"
		if on {
			value = "1"
		}
	}
	c.args = append(c.args, value)
	return c
}

// Value is the argument of that name that was added before any row, for tests;
// nil: there is none.
func (c *Call) Value(name string) any {
	for i, f := range c.s.args {
		if f.name == name && i < len(c.args) {
			return c.args[i]
		}
	}
	return nil
}

// Row begins the next row of a group. All rows of a group come before those of
// the next.
func (c *Call) Row(group string) *Call {
	c.complete()
	if c.group < 0 {
		for range c.s.groups {
			c.args = append(c.args, 0) // the counts: see end
		}
		c.group = 0
	}
	for c.group < len(c.s.groups) && c.s.groups[c.group].name != group {
		c.group++
	}
	if c.group == len(c.s.groups) {
		c.wrong("row of", group)
	}
	c.counts[c.group]++
	c.k, c.a = 0, 0
	return c
}

// Rest adds arguments after all rows.
func (c *Call) Rest(values ...any) *Call {
	c.end()
	if c.s.rest == "" {
		c.wrong("list", "rest")
	}
	c.args = append(c.args, values...)
	return c
}

// complete checks that everything named was given before something new begins.
func (c *Call) complete() {
	keys, args := len(c.s.keys), len(c.s.args)
	if c.group >= 0 {
		keys, args = len(c.s.groups[c.group].keys), len(c.s.groups[c.group].args)
	}
	if c.k != keys || c.a != args {
		c.wrong("end after key", fmt.Sprint(c.k, " and argument ", c.a))
	}
}

// end completes the rows, and writes how many there are.
func (c *Call) end() {
	if c.closed {
		return
	}
	c.complete()
	if c.group < 0 {
		for range c.s.groups {
			c.args = append(c.args, 0)
		}
	}
	for i := range c.s.groups {
		c.args[len(c.s.args)+i] = c.counts[i]
	}
	c.closed = true
}

func (c *Call) wrong(what, name string) {
	in := c.s.name
	if c.group >= 0 && c.group < len(c.s.groups) {
		in += " of each " + c.s.groups[c.group].name
	}
	panic(fmt.Sprintf("lua: %s: %s %q is not the next that the header names", in, what, name))
}

// Run runs the script, and loads it if Redis does not have it.
func (c *Call) Run(ctx context.Context, rdb redis.Scripter) *redis.Cmd {
	c.end()
	return c.s.script.Run(ctx, rdb, c.keys, c.args...)
}

// Eval sends the script's text. It is for transactions, in which a script that
// Redis does not have cannot be loaded.
func (c *Call) Eval(ctx context.Context, rdb redis.Scripter) *redis.Cmd {
	c.end()
	return c.s.script.Eval(ctx, rdb, c.keys, c.args...)
}

// RunAll makes calls in one round trip. The error is the first of the commands',
// whose other results are there all the same.
func RunAll(ctx context.Context, rdb redis.UniversalClient, calls []*Call) ([]*redis.Cmd, error) {
	return RunAllBy(ctx, rdb, calls, func(questions func(redis.Cmdable)) {
		pipe := rdb.Pipeline()
		questions(pipe)
		_, _ = pipe.Exec(ctx) // errors are read from each command
	})
}

// RunAllBy is RunAll with another way to send commands; rdb loads scripts. Calls
// whose script Redis does not have did nothing: they are sent once more after it
// was loaded.
func RunAllBy(ctx context.Context, rdb redis.Scripter, calls []*Call, send func(func(redis.Cmdable))) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, len(calls))
	all := make([]int, len(calls))
	for i := range calls {
		all[i] = i
	}
	evaluate(ctx, calls, cmds, all, send)
	var missing []int
	for i, cmd := range cmds {
		if !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			continue
		}
		if len(missing) == 0 || calls[i].s != calls[missing[len(missing)-1]].s {
			if err := calls[i].s.script.Load(ctx, rdb).Err(); err != nil {
				return cmds, fmt.Errorf("load %s: %w", calls[i].s.name, err)
			}
		}
		missing = append(missing, i)
	}
	if len(missing) > 0 {
		evaluate(ctx, calls, cmds, missing, send)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return cmds, err
		}
	}
	return cmds, nil
}

// evaluate makes some of the calls.
func evaluate(ctx context.Context, calls []*Call, cmds []*redis.Cmd, which []int, send func(func(redis.Cmdable))) {
	send(func(p redis.Cmdable) {
		for _, i := range which {
			c := calls[i]
			c.end()
			cmds[i] = c.s.script.EvalSha(ctx, p, c.keys, c.args...)
		}
	})
}
