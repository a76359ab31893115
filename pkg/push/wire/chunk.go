package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// States of a token in a chunk. Up to MaxAttempts it is the number of attempts that
// were counted.
const (
	MaxAttempts = 250
	// Sent marks a token of an at-most-once job whose request was begun: if a later
	// run finds it, its outcome is unknown.
	Sent = 0xFE
	// Resolved marks a token that has its outcome.
	Resolved = 0xFF
)

// Limits of a chunk.
const (
	MaxTokens  = math.MaxUint16
	maxEntries = MaxTokens
)

// Offsets of the parts of an encoded chunk that scripts touch.
const (
	GenOffset = 2 // 4 bytes: the generation, then 2 bytes: the cap
	GenLength = 4
	// ChunkHeader is the length of the part before the messages.
	ChunkHeader = 14
)

// ChunkVersion is the newest version of chunks that this build reads, and the one
// that it writes. Version 1 has no tail and no variables.
const ChunkVersion = 2

// Chunk is the journal of one task: the tokens that are still to be sent to, and how
// often each was tried. An encoded chunk is
//
//	"p2" generation:4 cap:2 tokens:2 length:4 | messages | entries | states: one byte a token | tail
//
// where length counts the bytes of messages and entries. Only generation, cap, states
// and tail ever change, and there are neither states nor tail before the first
// recorded step. See Tail for what follows the states.
//
// Tokens of an entry that have the same length, as vendors' tokens have, are written
// without separators: 1,000 of 131 bytes then fit into 128 KiB, which the memory
// allocator would otherwise round up to 160.
type Chunk struct {
	// Version is the one that a decoded chunk was written in; Encode does not read it.
	Version int
	// Gen is the generation: each recorded step changes it, and a step that follows
	// another generation comes too late.
	Gen uint32
	// Cap is the most tokens of one request after a split; 0: the vendor's limit.
	Cap int
	// Messages are encoded messages that entries refer to.
	Messages []string
	Entries  []Entry
	// States has one byte for each token, over all entries in order.
	States []byte
	// Tail is what else is known about the tokens; stored only with States.
	Tail Tail

	body int // bytes of messages and entries, once decoded
}

// StatesOffset is the offset of the states of a decoded chunk, also if it has none yet.
func (c *Chunk) StatesOffset() int { return ChunkHeader + c.body }

// Entry is the part of a job that a chunk contains.
type Entry struct {
	Job string
	// Single says that the job has this one token only: its ledger is a string.
	Single     bool
	AtMostOnce bool
	// Start is when the job could be sent first, Expires when no longer; Unix milliseconds.
	Start, Expires int64
	// Message is an index into Messages, or -1: it is stored at the job's MessageKey.
	Message int
	Tokens  []string
	// Vars are the values of the message's variables; nil: it has none.
	Vars []Var
}

// Var is one variable of a message: its name and its Values for the entry's
// tokens, one for each in order, or a single one for all of them.
type Var struct {
	Name   string
	Values []string
}

// Flags of an entry. Version 1 knows those before flagVars.
const (
	flagSingle = 1 << iota
	flagAtMostOnce
	flagOneLength
	flagVars
)

// Encode writes the chunk. Its States may be nil: nothing tried yet; its Tail is
// then empty.
func (c *Chunk) Encode() ([]byte, error) {
	n := 0
	var body []byte
	body = appendMessages(body, c.Messages)
	for _, e := range c.Entries {
		n += len(e.Tokens)
		for _, v := range e.Vars {
			if len(v.Values) != 1 && len(v.Values) != len(e.Tokens) {
				return nil, fmt.Errorf("encode chunk: a variable has %d values, want 1 or %d", len(v.Values), len(e.Tokens))
			}
		}
		var list TokenList
		for _, t := range e.Tokens {
			list.Add([]byte(t))
		}
		body = appendEntry(body, e, &list)
	}
	if n == 0 || n > MaxTokens {
		return nil, fmt.Errorf("encode chunk: %d tokens, want 1 to %d", n, MaxTokens)
	}
	out := appendHeader(make([]byte, 0, ChunkHeader+len(body)+len(c.States)), c.Gen, c.Cap, n, len(body))
	return c.Tail.Append(append(append(out, body...), c.States...)), nil
}

// Head encodes what a recorded step writes over the beginning of a chunk:
// generation and cap.
func Head(gen uint32, requestCap int) string {
	var b [GenLength + 2]byte
	binary.BigEndian.PutUint32(b[:], gen)
	binary.BigEndian.PutUint16(b[GenLength:], uint16(requestCap))
	return string(b[:])
}

// DecodeChunk reads an encoded chunk. Tokens and messages share s's memory.
func DecodeChunk(s string) (*Chunk, error) {
	if len(s) < ChunkHeader || s[0] != 'p' || s[1] < '1' {
		return nil, errors.New("decode chunk: not a chunk")
	}
	version := int(s[1] - '0')
	if version > ChunkVersion {
		return nil, fmt.Errorf("decode chunk: version %c: %w", s[1], ErrNewer)
	}
	head := []byte(s[:ChunkHeader])
	n, length := int(binary.BigEndian.Uint16(head[8:])), uint64(binary.BigEndian.Uint32(head[10:]))
	journal := uint64(len(s)) - ChunkHeader - length // wraps around if the body is cut off
	gen := binary.BigEndian.Uint32(head[GenOffset:])
	switch {
	case n == 0, length > uint64(len(s)-ChunkHeader), journal != 0 && journal < uint64(n), journal == 0 && gen != 0,
		version == 1 && journal > uint64(n):
		return nil, errors.New("decode chunk: cut off")
	}
	c := &Chunk{
		Version: version,
		Gen:     gen,
		Cap:     int(binary.BigEndian.Uint16(head[GenOffset+GenLength:])),
		States:  make([]byte, n),
		body:    int(length),
	}
	states := copy(c.States, s[ChunkHeader+length:])
	var err error
	if c.Tail, err = decodeTail(s[ChunkHeader+int(length)+states:], n); err != nil {
		return nil, fmt.Errorf("decode chunk: tail: %w", err)
	}
	r := reader{s: s[ChunkHeader : ChunkHeader+length], version: version}
	for range r.count(1) {
		c.Messages = append(c.Messages, r.text())
	}
	left := n
	for r.err == nil && r.s != "" {
		e := r.entry(len(c.Messages), left)
		left -= len(e.Tokens)
		c.Entries = append(c.Entries, e)
	}
	if r.err == nil && left != 0 {
		r.err = fmt.Errorf("%d tokens are missing", left)
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode chunk: %w", r.err)
	}
	return c, nil
}

// reader reads values from the front of s; after an error it returns zeros.
type reader struct {
	s       string
	version int // of the chunk
	err     error
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		v |= uint64(r.s[i]&0x7f) << (7 * i)
		if r.s[i] < 0x80 {
			r.s = r.s[i+1:]
			return v
		}
	}
	r.fail("cut off in a number")
	return 0
}

// count reads a number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.s)/size) {
		r.fail("a count is too large")
		return 0
	}
	return int(v)
}

func (r *reader) text() string {
	n := r.count(1)
	t := r.s[:n]
	r.s = r.s[n:]
	return t
}

func (r *reader) entry(messages, left int) Entry {
	e := Entry{Job: r.text()}
	flags := r.uvarint()
	e.Single, e.AtMostOnce = flags&flagSingle != 0, flags&flagAtMostOnce != 0
	e.Start, e.Expires = int64(r.uvarint()), int64(r.uvarint())
	e.Message = int(r.uvarint()) - 1
	width := 0
	if flags&flagOneLength != 0 {
		width = int(min(r.uvarint(), uint64(len(r.s))+1))
	}
	n := r.count(max(1, width))
	switch {
	case r.err != nil:
		return e
	case flags >= flagVars<<1, r.version == 1 && flags >= flagVars:
		r.fail("an entry has flags that this version does not know")
	case flags&flagOneLength != 0 && width == 0:
		r.fail("an entry has tokens of no length")
	case e.Message >= messages || e.Message < -1:
		r.fail("an entry refers to a message that is not there")
	case n == 0 || n > left:
		r.fail("an entry has no tokens, or more than the chunk")
	case e.Job == "":
		r.fail("an entry has no job")
	default:
		e.Tokens = r.tokens(n, width)
		if flags&flagVars != 0 {
			e.Vars = r.vars(n)
		}
	}
	return e
}

// vars reads the variables of an entry with n tokens.
func (r *reader) vars(n int) []Var {
	all := make([]Var, r.count(2))
	if len(all) == 0 {
		r.fail("an entry with variables has none")
	}
	for i := range all {
		all[i].Name = r.text()
		values := r.count(1)
		if values != 1 && values != n {
			r.fail("a variable has neither one value nor one for each token")
			return nil
		}
		all[i].Values = make([]string, values)
		for k := range all[i].Values {
			all[i].Values[k] = r.text()
		}
	}
	return all
}

// tokens reads n tokens of the given length; 0: each is preceded by its own.
func (r *reader) tokens(n, width int) []string {
	all := make([]string, n)
	for i := range all {
		if width == 0 {
			if all[i] = r.text(); all[i] == "" {
				r.fail("a token is empty")
			}
		} else {
			all[i], r.s = r.s[:width], r.s[width:]
		}
	}
	return all
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = errors.New(why)
	}
	r.s = ""
}
