package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// States of a token in a chunk. Up to MaxAttempts it is the number of counted
// attempts that the token has behind it.
const (
	MaxAttempts = 250
	// Sent marks a token of an at-most-once job whose request was begun: found
	// by a later run, its outcome is unknown.
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
	// ChunkHeader is the length of all that stands before the messages.
	ChunkHeader = 14
)

// Chunk is the journal of one task: what is still to be sent, and how often it
// was tried. An encoded chunk is
//
//	"p1" generation:4 cap:2 tokens:2 length:4 | messages | entries | states: one byte a token
//
// where length is that of messages and entries. Only generation, cap and states
// ever change, and there are no states before the first recorded step.
//
// Tokens of an entry that are of one length, as vendors' tokens are, stand
// without separators: 1,000 of 131 bytes then fit the 128 KiB that the memory
// allocator would else round up to 160.
type Chunk struct {
	// Gen counts the recorded steps; a record with another Gen comes too late.
	Gen uint32
	// Cap is the most tokens of one request after a split; 0: the vendor's limit.
	Cap int
	// Messages are encoded messages that entries refer to.
	Messages []string
	Entries  []Entry
	// States has one byte a token, over all entries in order.
	States []byte

	body int // bytes of messages and entries, once decoded
}

// StatesOffset is where the states of a decoded chunk stand, or will stand.
func (c *Chunk) StatesOffset() int { return ChunkHeader + c.body }

// Entry is the part of a job that a chunk carries.
type Entry struct {
	Job string
	// Single says that the job has this one token only: its ledger is a string.
	Single     bool
	AtMostOnce bool
	// Start is when the job could be sent first, Expires when no longer; Unix milliseconds.
	Start, Expires int64
	// Message is an index into Messages, or -1: it lies at the job's MessageKey.
	Message int
	Tokens  []string
}

const (
	flagSingle = 1 << iota
	flagAtMostOnce
	flagOneLength
	flagsKnown = 1<<iota - 1
)

// Encode writes the chunk. Its States may be nil: nothing tried yet.
func (c *Chunk) Encode() ([]byte, error) {
	n := 0
	var body []byte
	body = appendMessages(body, c.Messages)
	for _, e := range c.Entries {
		n += len(e.Tokens)
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
	return append(append(out, body...), c.States...), nil
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
	if s[1] > '0'+Version {
		return nil, fmt.Errorf("decode chunk: version %c: %w", s[1], ErrNewer)
	}
	head := []byte(s[:ChunkHeader])
	n, length := int(binary.BigEndian.Uint16(head[8:])), uint64(binary.BigEndian.Uint32(head[10:]))
	states := uint64(len(s)) - ChunkHeader - length // wraps around if the body is cut off
	gen := binary.BigEndian.Uint32(head[GenOffset:])
	if n == 0 || states != uint64(n) && (states != 0 || gen != 0) {
		return nil, errors.New("decode chunk: cut off")
	}
	c := &Chunk{
		Gen:    gen,
		Cap:    int(binary.BigEndian.Uint16(head[GenOffset+GenLength:])),
		States: make([]byte, n),
		body:   int(length),
	}
	copy(c.States, s[ChunkHeader+length:])
	r := reader{s: s[ChunkHeader : ChunkHeader+length]}
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

// reader takes values off the front of s; after an error it returns zeros.
type reader struct {
	s   string
	err error
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
	case flags > flagsKnown:
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
	}
	return e
}

// tokens reads n tokens of the given length; 0: each says its own.
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
