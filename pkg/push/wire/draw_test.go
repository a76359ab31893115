package wire_test

import (
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
		if len(e.Tokens) == 0 || e.Job == "" || e.Message < -1 || e.Message >= len(c.Messages) {
			tb.Fatalf("an entry is %+v", e)
		}
		n += len(e.Tokens)
	}
	announced := int(s[8])<<8 | int(s[9])
	if n == 0 || n != announced || n != len(c.States) {
		tb.Fatalf("%d tokens, %d announced, %d states", n, announced, len(c.States))
	}
	if at := c.StatesOffset(); at != len(s) && at != len(s)-n {
		tb.Fatalf("states at %d of %d", at, len(s))
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
	}
	return c
}

func drawEntry(t *rapid.T, messages int) wire.Entry {
	token := rapid.StringN(1, 200, -1)
	if rapid.Bool().Draw(t, "one length") {
		token = rapid.StringMatching("[a-z]{" + strconv.Itoa(rapid.IntRange(1, 140).Draw(t, "length")) + "}")
	}
	return wire.Entry{
		Job:        rapid.StringMatching("[a-z-]{1,30}").Draw(t, "job"),
		Single:     rapid.Bool().Draw(t, "single"),
		AtMostOnce: rapid.Bool().Draw(t, "at most once"),
		Start:      rapid.Int64().Draw(t, "start"),
		Expires:    rapid.Int64().Draw(t, "expires"),
		Message:    rapid.IntRange(-1, messages-1).Draw(t, "message"),
		Tokens:     rapid.SliceOfN(token, 1, 40).Draw(t, "tokens"),
	}
}
