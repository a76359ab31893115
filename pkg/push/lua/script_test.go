package lua_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/lua"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// source uses every part of a header.
const source = `-- Writes down what it is given.
--
-- Uses: kind
-- KEYS
--  list            a list
-- KEYS of each job
--  ledger          a key
--  message         another
-- KEYS of each chunk
--  chunk           a key
-- ARGV
--  text            any text
--  start number    a number
-- ARGV of each job
--  app             a text
--  tokens number   a number
-- ARGV of each word
--  word            a text without a key
-- ARGV rest more
-- Returns what it was given.
local out = {list, kind(list), text, tostring(start + 1)}
for i = 1, job_count do
  local ledger, message, app, tokens = job_at(i)
  local again, other = job_keys_at(i)
  out[#out + 1] = i .. ' ' .. ledger .. ' ' .. other .. ' ' .. app .. ' ' .. (tokens + 1)
  if again ~= ledger or other ~= message then return {'the keys differ'} end
end
for i = 1, chunk_count do out[#out + 1] = i .. ' ' .. chunk_at(i) end
for i = 1, word_count do out[#out + 1] = i .. ' ' .. word_at(i) .. ' of ' .. word_count end
for i = more, #ARGV do out[#out + 1] = ARGV[i] end
return out
`

func load(t *testing.T) *lua.Script {
	t.Helper()
	return lua.Load(fstest.MapFS{"x.lua": {Data: []byte(source)}}, "x.lua")
}

func TestAScriptHasTheValuesByTheirNames(t *testing.T) {
	t.Parallel()
	rdb, s := redistest.Client(t), load(t)
	c := s.Call().Grow(9, 9).Key("list", "{a}l").Arg("text", "t").Arg("start", 4)
	c.Row("job").Key("ledger", "{a}1").Key("message", "{a}2").Arg("app", "shop").Arg("tokens", 7)
	c.Row("job").Key("ledger", "{a}3").Key("message", "{a}4").Arg("app", "mini").Arg("tokens", true)
	c.Row("chunk").Key("chunk", "{a}5")
	c.Row("word").Arg("word", "w")
	c.Rest("r1", "r2")
	want := []string{"{a}l", "none", "t", "5", "1 {a}1 {a}2 shop 8", "2 {a}3 {a}4 mini 2", "1 {a}5", "1 w of 1", "r1", "r2"}
	for range 2 { // a call may be run again
		if got, err := c.Run(t.Context(), rdb).StringSlice(); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	got, err := s.Call().Key("list", "l").Arg("text", "").Arg("start", 0).Run(t.Context(), rdb).StringSlice()
	if want := []string{"l", "none", "", "1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("without rows: got %q, %v, want %q", got, err, want)
	}
	if names := strings.Join(s.Names(), " "); names != "list text start job_at chunk_at word_at more" {
		t.Errorf("the names are %q", names)
	}
}

func TestWhatTheHeaderDoesNotNamePanics(t *testing.T) {
	t.Parallel()
	s := load(t)
	fixed := func() *lua.Call { return s.Call().Key("list", "l").Arg("text", "").Arg("start", 0) }
	for name, do := range map[string]func(){
		"another key":        func() { s.Call().Key("ledger", "") },
		"another argument":   func() { s.Call().Arg("start", 0) },
		"one too many":       func() { fixed().Arg("text", "") },
		"one is missing":     func() { s.Call().Key("list", "").Arg("text", "").Row("job") },
		"nothing at all":     func() { s.Call().Run(t.Context(), nil) },
		"a row is cut off":   func() { fixed().Row("job").Key("ledger", "").Row("job") },
		"an unknown group":   func() { fixed().Row("jobs") },
		"groups in no order": func() { fixed().Row("chunk").Key("chunk", "").Row("job") },
		"a row's field":      func() { fixed().Row("chunk").Key("ledger", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it was accepted")
				}
			}()
			do()
		})
	}
}

func TestAHeaderThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no header":               "return 1\n",
		"unknown functions":       "-- Uses: nothing\nreturn 1\n",
		"a name before a section": "-- Says.\n--  list\nreturn 1\n",
		"a name after Returns":    "-- KEYS\n--  list\n-- Returns 1.\n--  more\nreturn 1\n",
	} {
		if _, err := lua.Parse("x.lua", text); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
}

// One of the calls knows its script and the others do not: each runs once.
func TestCallsWhoseScriptIsMissingAreMadeAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	add, err := lua.Parse("add.lua", "-- Adds.\n-- KEYS\n--  sum\n-- Returns the sum.\nreturn redis.call('INCR', sum)\n")
	if err != nil {
		t.Fatal(err)
	}
	twice, err := lua.Parse("twice.lua", "-- Adds two.\n-- KEYS\n--  sum\n-- Returns the sum.\nreturn redis.call('INCRBY', sum, 2)\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := add.Call().Key("sum", "a").Run(t.Context(), rdb).Err(); err != nil { // Redis has it
		t.Fatal(err)
	}
	calls := []*lua.Call{twice.Call().Key("sum", "b"), add.Call().Key("sum", "a"), twice.Call().Key("sum", "b"), add.Call().Key("sum", "s")}
	cmds, err := lua.RunAll(t.Context(), rdb, calls)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 2, 4, 1} {
		if got, err := cmds[i].Int(); got != want || err != nil {
			t.Errorf("call %d: got %d, %v, want %d", i, got, err, want)
		}
	}
	rdb.Set(t.Context(), "c", "no number", 0)
	cmds, err = lua.RunAll(t.Context(), rdb, []*lua.Call{add.Call().Key("sum", "c"), add.Call().Key("sum", "s")})
	if got, _ := cmds[1].Int(); err == nil || got != 2 {
		t.Errorf("beside a fault: got %d, %v, want 2 and the fault", got, err)
	}
}

func TestCallsAreMadeByTheGivenSender(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s, err := lua.Parse("y.lua", source+"-- No other test has this text, so Redis does not know the script.\n")
	if err != nil {
		t.Fatal(err)
	}
	trips := 0
	send := func(questions func(redis.Cmdable)) {
		trips++
		questions(rdb)
	}
	c := s.Call().Key("list", "l").Arg("text", "").Arg("start", 0)
	cmds, err := lua.RunAllBy(context.WithoutCancel(t.Context()), rdb, []*lua.Call{c, c}, send)
	if err != nil || len(cmds) != 2 || trips != 2 {
		t.Errorf("got %d commands in %d trips, %v, want 2 in 2: the first finds no script", len(cmds), trips, err)
	}
}
