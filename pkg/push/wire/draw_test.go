package wire_test

import (
	"slices"
	"strconv"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push/wire"
)

// checkCounts demands that a decoded chunk is sound in itself.
func checkCounts(tb rapid.TB, c *wire.Chunk, s string) {
	tb.Helper()
	n := 0
	for _, e := range c.Entries {
		for _, t := range e.Tokens {
			if t == "" {
				tb.Fatal("a token is empty")
			}
		}
		for _, v := range e.Vars {
			if len(v.Values) != 1 && len(v.Values) != len(e.Tokens) {
				tb.Fatalf("variable %q has %d values for %d tokens", v.Name, len(v.Values), len(e.Tokens))
			}
		}
		if len(e.Tokens) == 0 || e.Job == "" || e.Message < -1 || e.Message >= len(c.Messages) {
			tb.Fatalf("an entry is %+v", e)
		}
		n += len(e.Tokens)
	}
	announced := int(s[8])<<8 | int(s[9])
	if n == 0 || n != announced || n != len(c.States) {
		tb.Fatalf("%d tokens, %d announced, %d states", n, announced, len(c.States))
	}
	if at := c.StatesOffset(); at != len(s) && at+n > len(s) {
		tb.Fatalf("states at %d of %d", at, len(s))
	}
	if c.Tail.Keys != nil && len(c.Tail.Keys) != n {
		tb.Fatalf("%d keys for %d tokens", len(c.Tail.Keys), n)
	}
	for row, tries := range c.Tail.Tries {
		for token, count := range tries {
			if token < 0 || token >= n || count < 1 {
				tb.Fatalf("%s counts %d requests of token %d of %d", row, count, token, n)
			}
		}
	}
}

func drawChunk(t *rapid.T) *wire.Chunk {
	c := &wire.Chunk{
		Cap:      rapid.IntRange(0, 65535).Draw(t, "cap"),
		Messages: rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "messages"),
	}
	n := 0
	for range rapid.IntRange(1, 4).Draw(t, "entries") {
		e := drawEntry(t, len(c.Messages))
		n += len(e.Tokens)
		c.Entries = append(c.Entries, e)
	}
	if rapid.Bool().Draw(t, "tried") {
		c.Gen = rapid.Uint32().Draw(t, "gen")
		c.States = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "states")
		if rapid.Bool().Draw(t, "tail") {
			c.Tail = drawTail(t, n)
		}
	}
	return c
}

// drawTail draws the tail of a chunk with n tokens.
func drawTail(t *rapid.T, n int) wire.Tail {
	tail := wire.Tail{Stored: true}
	if rapid.Bool().Draw(t, "keys") {
		some := rapid.SliceOfN(rapid.StringMatching("[0-9a-f]{32}"), 1, 3).Draw(t, "all keys")
		tail.Keys = rapid.SliceOfN(rapid.SampledFrom(append(some, "")), n, n).Draw(t, "each key")
		if !slices.ContainsFunc(tail.Keys, func(k string) bool { return k != "" }) {
			tail.Keys = nil
		}
	}
	if rapid.Bool().Draw(t, "tries") {
		counts := rapid.MapOfN(rapid.IntRange(0, n-1), rapid.IntRange(1, 1000), 1, -1)
		tail.Tries = rapid.MapOfN(rapid.StringMatching("[a-z]{1,9}/[0-9]{1,5}"), counts, 1, 3).Draw(t, "rows")
	}
	return tail
}

func drawEntry(t *rapid.T, messages int) wire.Entry {
	token := rapid.StringN(1, 200, -1)
	if rapid.Bool().Draw(t, "one length") {
		token = rapid.StringMatching("[a-z]{" + strconv.Itoa(rapid.IntRange(1, 140).Draw(t, "length")) + "}")
	}
	e := wire.Entry{
		Job:        rapid.StringMatching("[a-z-]{1,30}").Draw(t, "job"),
		Single:     rapid.Bool().Draw(t, "single"),
		AtMostOnce: rapid.Bool().Draw(t, "at most once"),
		Start:      rapid.Int64().Draw(t, "start"),
		Expires:    rapid.Int64().Draw(t, "expires"),
		Message:    rapid.IntRange(-1, messages-1).Draw(t, "message"),
		Tokens:     rapid.SliceOfN(token, 1, 40).Draw(t, "tokens"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "vars") {
		n := rapid.SampledFrom([]int{1, len(e.Tokens)}).Draw(t, "values")
		e.Vars = append(e.Vars, wire.Var{
			Name: rapid.StringMatching("[A-Za-z_]{1,8}").Draw(t, "name"), Values: rapid.SliceOfN(rapid.String(), n, n).Draw(t, "values"),
		})
	}
	return e
}
