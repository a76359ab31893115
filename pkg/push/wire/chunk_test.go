package wire_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	begins = 1764000000000 // 2025-11-24T16:00:00Z in ms
	ends   = begins + 24*3600*1000
)

// streamed is testdata/chunk_stream.golden, and _v1.
func streamed() *wire.Chunk {
	return &wire.Chunk{
		Entries: []wire.Entry{{
			Job: "order-42", AtMostOnce: true, Start: begins, Expires: ends, Message: -1, Tokens: []string{"tokA", "tokB", "tokC"},
		}},
		States: []byte{0, 0, 0},
	}
}

// sharedV1 is testdata/chunk_shared_v1.golden.
func sharedV1() *wire.Chunk {
	return &wire.Chunk{
		Gen: 258, Cap: 500, Messages: []string{`{"a":1}`, `{"b":2}`},
		Entries: []wire.Entry{
			{Job: "a1", Single: true, Start: begins, Expires: ends, Message: 0, Tokens: []string{"tok-A"}},
			{Job: "b2", Start: begins, Expires: ends, Message: 1, Tokens: []string{"x", "yyy"}},
			{Job: "c3", Single: true, AtMostOnce: true, Start: begins, Expires: ends, Message: -1, Tokens: []string{"zz"}},
		},
		States: []byte{0, 3, wire.Sent, wire.Resolved},
	}
}

// shared is testdata/chunk_shared.golden.
func shared() *wire.Chunk {
	const one, other = "000102030405060708090a0b0c0d0e0f", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
	c := sharedV1()
	c.Entries[1].Vars = []wire.Var{{Name: "name", Values: []string{"Li", ""}}, {Name: "shop", Values: []string{"Acme"}}}
	c.Tail = wire.Tail{
		Keys: []string{one, other, one, ""}, Tries: map[string]map[int]int{"xiaomi/token/7": {0: 2, 3: 300}}, Stored: true,
	}
	return c
}

// same compares what a chunk says.
func same(a, b *wire.Chunk) bool {
	return a.Gen == b.Gen && a.Cap == b.Cap && string(a.States) == string(b.States) &&
		strings.Join(a.Messages, "\x00") == strings.Join(b.Messages, "\x00") && len(a.Messages) == len(b.Messages) &&
		reflect.DeepEqual(a.Entries, b.Entries) && reflect.DeepEqual(a.Tail, b.Tail)
}

// golden reads a file of hex and quoted text.
func golden(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	var b []byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		code, quoted, _ := strings.Cut(strings.TrimSpace(line), `"`)
		raw, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
		if err != nil {
			tb.Fatalf("%s: %q: %v", name, line, err)
		}
		b = append(b, raw...)
		if quoted != "" {
			word, err := strconv.Unquote(`"` + quoted)
			if err != nil {
				tb.Fatalf("%s: %q: %v", name, line, err)
			}
			b = append(b, word...)
		}
	}
	return string(b)
}

func encode(tb rapid.TB, c *wire.Chunk) string {
	tb.Helper()
	b, err := c.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func list(tokens []string) *wire.TokenList {
	var l wire.TokenList
	for _, t := range tokens {
		l.Add([]byte(t))
	}
	return &l
}

func TestStoredChunksStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		chunk   *wire.Chunk
		version int
	}{
		{"chunk_stream.golden", streamed(), 2},
		{"chunk_shared.golden", shared(), 2},
		{"chunk_stream_v1.golden", streamed(), 1},
		{"chunk_shared_v1.golden", sharedV1(), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := golden(t, c.name)
			got, err := wire.DecodeChunk(want)
			if err != nil {
				t.Fatal(err)
			}
			if !same(got, c.chunk) || got.Version != c.version {
				t.Errorf("decoded %+v, want %+v", got, c.chunk)
			}
			if c.version < wire.ChunkVersion {
				return // read, and never written again
			}
			written := *c.chunk
			if written.Gen == 0 {
				written.States = nil // nothing tried yet: not stored
			}
			if s := encode(t, &written); s != want {
				t.Errorf("encoded\n%x, want\n%x", s, want)
			}
		})
	}
}

func TestAStreamWritesTheChunkThatEncodeWrites(t *testing.T) {
	t.Parallel()
	e := streamed().Entries[0]
	if got, want := string(wire.EncodeEntry(e, list(e.Tokens))), golden(t, "chunk_stream.golden"); got != want {
		t.Errorf("got\n%x, want\n%x", got, want)
	}
}

func goldens() []string {
	return []string{"chunk_stream.golden", "chunk_shared.golden", "chunk_stream_v1.golden", "chunk_shared_v1.golden"}
}

func TestEveryByteOfAChunkMeansSomething(t *testing.T) {
	t.Parallel()
	for _, name := range goldens() {
		good := golden(t, name)
		want, err := wire.DecodeChunk(good)
		if err != nil {
			t.Fatal(err)
		}
		for at := range len(good) {
			for bit := range 8 {
				b := []byte(good)
				b[at] ^= 1 << bit
				if got, err := wire.DecodeChunk(string(b)); err == nil && same(got, want) {
					t.Errorf("%s: byte %d with bit %d flipped reads the same", name, at, bit)
				}
			}
		}
	}
}

func TestACutOffChunkIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range goldens() {
		good := golden(t, name)
		whole, err := wire.DecodeChunk(good)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(good) {
			if n == whole.StatesOffset()+len(whole.States) && whole.Tail.Stored {
				continue // without the tail it is a chunk that has none
			}
			if c, err := wire.DecodeChunk(good[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes read as %+v", name, n, len(good), c)
			}
		}
		if whole.Version > 1 {
			continue // what follows is a tail, or what is left of a longer one
		}
		if c, err := wire.DecodeChunk(good + "\x00"); err == nil {
			t.Errorf("%s: with one more byte reads as %+v", name, c)
		}
	}
}

func TestAMalformedChunkIsRefused(t *testing.T) {
	t.Parallel()
	good := golden(t, "chunk_stream.golden")
	for _, c := range []struct {
		name    string
		at      int
		to      string
		problem string
	}{
		{"no tokens at all", 8, "\x00\x00", "cut off"},
		{"more tokens announced than there are", 8, "\x00\x04", "1 tokens are missing"},
		{"fewer tokens announced than there are", 8, "\x00\x02", "more than the chunk"},
		{"a body beyond the end", 10, "\xff\xff\xff\xff", "cut off"},
		{"more messages than bytes", 14, "\x7f", "count is too large"},
		{"an unknown flag", 24, "\x16", "flags"},
		{"a message that is not there", 37, "\x01", "message"},
		{"tokens of no length", 38, "\x00", "no length"},
		{"tokens longer than the chunk", 38, "\x7f", "count is too large"},
		{"an entry without tokens", 39, "\x00", "no tokens"},
		{"a number without an end", 25, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "cut off in a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad := good[:c.at] + c.to + good[c.at+len(c.to):]
			if _, err := wire.DecodeChunk(bad); err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %v, want %q", err, c.problem)
			}
		})
	}
}

func TestAnEmptyTokenIsRefused(t *testing.T) {
	t.Parallel()
	bad := strings.Replace(golden(t, "chunk_shared.golden"), "\x01x\x03yyy", "\x00\x04xyyy", 1)
	if _, err := wire.DecodeChunk(bad); err == nil || !strings.Contains(err.Error(), "a token is empty") {
		t.Errorf("got %v, want a complaint about the token", err)
	}
}

func TestEncodeRefusesAChunkThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		tokens int
		right  bool
	}{
		{"no tokens", 0, false},
		{"the most tokens", wire.MaxTokens, true},
		{"one too many", wire.MaxTokens + 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			many := strings.Split(strings.TrimSuffix(strings.Repeat("t,", c.tokens), ","), ",")[:c.tokens]
			_, err := (&wire.Chunk{Entries: []wire.Entry{{Job: "a", Message: -1, Tokens: many}}}).Encode()
			if (err == nil) != c.right {
				t.Errorf("got %v, want it accepted: %v", err, c.right)
			}
		})
	}
}

func TestANewerChunkIsToldFromABrokenOne(t *testing.T) {
	t.Parallel()
	newer := "p3" + strings.Repeat("x", 30)
	if _, err := wire.DecodeChunk(newer); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("the next version: got %v, want ErrNewer", err)
	}
	for _, broken := range []string{"", "p1", "q1" + strings.Repeat("x", 30), "p0" + strings.Repeat("x", 30)} {
		if _, err := wire.DecodeChunk(broken); err == nil || errors.Is(err, wire.ErrNewer) {
			t.Errorf("%q: got %v, want an error other than ErrNewer", broken, err)
		}
	}
}

func TestStatesAreWrittenWhereStatesOffsetSays(t *testing.T) {
	t.Parallel()
	stored := golden(t, "chunk_stream.golden")
	c, err := wire.DecodeChunk(stored)
	if err != nil {
		t.Fatal(err)
	}
	// What a recorded step does with SETRANGE: states behind the end, head at the front.
	at := c.StatesOffset()
	if at != len(stored) {
		t.Fatalf("states would be at %d, want %d, right after the entries", at, len(stored))
	}
	for gen, states := range []string{"\x01\x02\x03", "\xff\x03\xfe"} {
		stored = stored[:at] + states
		stored = stored[:wire.GenOffset] + wire.Head(uint32(gen+1), 7) + stored[wire.GenOffset+wire.GenLength+2:]
		if c, err = wire.DecodeChunk(stored); err != nil {
			t.Fatal(err)
		}
		want := streamed()
		want.Gen, want.Cap, want.States = uint32(gen+1), 7, []byte(states)
		if !same(c, want) || c.StatesOffset() != at {
			t.Errorf("got %+v at %d, want %+v at %d", c, c.StatesOffset(), want, at)
		}
	}
}

// A string in Redis has 10 bytes around it (a header of 9 and a final zero),
// and jemalloc, its allocator, has size classes of 128 KiB (131,072 bytes) and
// then 160: a chunk of 131,062 bytes is the longest that does not cost 160 KiB.
func TestAFullChunkFitsTheAllocatorsSizeClass(t *testing.T) {
	t.Parallel()
	const class, around = 128 << 10, 9 + 1
	var l wire.TokenList
	for range 1000 {
		l.Add([]byte(strings.Repeat("t", 131)))
	}
	e := wire.Entry{Job: strings.Repeat("j", 20), AtMostOnce: true, Start: begins, Expires: ends}
	if got := len(wire.EncodeEntry(e, &l)); got > class-around {
		t.Errorf("the chunk has %d bytes, want at most %d", got, class-around)
	}
}

func TestAChunkReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawChunk(t)
		s := encode(t, want)
		got, err := wire.DecodeChunk(s)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range want.Entries {
			n += len(e.Tokens)
		}
		if want.States == nil {
			want.States, want.Tail = make([]byte, n), wire.Tail{}
			if got.StatesOffset() != len(s) {
				t.Fatalf("states would be at %d of %d", got.StatesOffset(), len(s))
			}
		}
		if !same(got, want) || got.Version != wire.ChunkVersion {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if journal := s[got.StatesOffset():]; journal != "" && !strings.HasPrefix(journal, string(want.States)) {
			t.Fatal("the states are not at their offset")
		}
	})
}

func TestAListOfTokensReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	var l wire.TokenList // used again, as a stream does
	rapid.Check(t, func(t *rapid.T) {
		e := drawEntry(t, 0)
		l.Reset()
		for _, token := range e.Tokens {
			l.Add([]byte(token))
		}
		if l.Len() != len(e.Tokens) {
			t.Fatalf("the list has %d tokens, want %d", l.Len(), len(e.Tokens))
		}
		c, err := wire.DecodeChunk(string(wire.EncodeEntry(e, &l)))
		if err != nil {
			t.Fatal(err)
		}
		e.Message = -1
		if !reflect.DeepEqual(c.Entries, []wire.Entry{e}) {
			t.Fatalf("got %+v, want %+v", c.Entries, e)
		}
	})
}

// TestAMutatedChunkKeepsItsCounts has DecodeChunk refuse a damaged chunk, or
// read one whose numbers agree with each other.
func TestAMutatedChunkKeepsItsCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(encode(t, drawChunk(t)))
		for range rapid.IntRange(1, 4).Draw(t, "mutations") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "length")]
		if c, err := wire.DecodeChunk(string(b)); err == nil {
			checkCounts(t, c, string(b))
		}
	})
}
