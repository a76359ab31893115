package wire

import "encoding/binary"

// TokenList collects the encoded tokens of one entry. The zero value is empty.
type TokenList struct {
	b     []byte
	n     int
	width int // of every token; -1: they differ, and each is preceded by its length
}

// Len is how many tokens the list has.
func (l *TokenList) Len() int { return l.n }

// Width is the length in bytes of every token, or -1 if they differ.
func (l *TokenList) Width() int { return l.width }

// Bytes is the list as it will be stored; it shares the list's memory.
func (l *TokenList) Bytes() []byte { return l.b }

// Reset empties the list and keeps its memory.
func (l *TokenList) Reset() { l.b, l.n, l.width = l.b[:0], 0, 0 }

// Add appends a token, which is not empty. t is copied.
func (l *TokenList) Add(t []byte) {
	if l.n == 0 {
		l.width = len(t)
	} else if l.width >= 0 && l.width != len(t) {
		l.addLengths()
	}
	if l.width < 0 {
		l.b = binary.AppendUvarint(l.b, uint64(len(t)))
	}
	l.b = append(l.b, t...)
	l.n++
}

// Pop removes and returns the last token. The list must not be empty.
func (l *TokenList) Pop() string {
	from, to := len(l.b)-l.width, len(l.b)
	cut := from
	if l.width < 0 {
		for at := 0; at < to; {
			n, size := binary.Uvarint(l.b[at:])
			cut, from = at, at+size
			at = from + int(n)
		}
	}
	t := string(l.b[from:to])
	l.b, l.n = l.b[:cut], l.n-1
	return t
}

// addLengths puts its length before every token so far.
func (l *TokenList) addLengths() {
	all := make([]byte, 0, len(l.b)+3*l.n)
	for at := 0; at < len(l.b); at += l.width {
		all = binary.AppendUvarint(all, uint64(l.width))
		all = append(all, l.b[at:at+l.width]...)
	}
	l.b, l.width = all, -1
}

// EncodeEntry writes a chunk of one entry whose tokens are in the list, and
// whose message is at the job's MessageKey. e.Tokens and e.Message are not read.
func EncodeEntry(e Entry, l *TokenList) []byte {
	e.Message = -1
	vars := appendVars(nil, e.Vars)
	head := appendEntryHead(appendMessages(make([]byte, 0, 64+len(e.Job)), nil), e, l)
	length := len(head) + len(l.b) + len(vars)
	b := appendHeader(make([]byte, 0, ChunkHeader+length), 0, 0, l.n, length)
	return append(append(append(b, head...), l.b...), vars...)
}

func appendHeader(b []byte, gen uint32, requestCap, tokens, length int) []byte {
	b = append(b, 'p', '0'+ChunkVersion)
	b = binary.BigEndian.AppendUint32(b, gen)
	b = binary.BigEndian.AppendUint16(b, uint16(requestCap))
	b = binary.BigEndian.AppendUint16(b, uint16(tokens))
	return binary.BigEndian.AppendUint32(b, uint32(length))
}

func appendMessages(b []byte, m []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, s := range m {
		b = appendText(b, s)
	}
	return b
}

func appendEntry(b []byte, e Entry, l *TokenList) []byte {
	return appendVars(append(appendEntryHead(b, e, l), l.b...), e.Vars)
}

// appendEntryHead writes the part of an entry before its tokens.
func appendEntryHead(b []byte, e Entry, l *TokenList) []byte {
	b = appendText(b, e.Job)
	b = binary.AppendUvarint(b, flag(flagSingle, e.Single)|flag(flagAtMostOnce, e.AtMostOnce)|
		flag(flagOneLength, l.width > 0)|flag(flagVars, len(e.Vars) > 0))
	b = binary.AppendUvarint(b, uint64(e.Start))
	b = binary.AppendUvarint(b, uint64(e.Expires))
	b = binary.AppendUvarint(b, uint64(e.Message+1))
	if l.width > 0 {
		b = binary.AppendUvarint(b, uint64(l.width))
	}
	return binary.AppendUvarint(b, uint64(l.n))
}

// appendVars writes the variables of an entry: nothing if it has none.
func appendVars(b []byte, vars []Var) []byte {
	if len(vars) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(vars)))
	for _, v := range vars {
		b = appendText(b, v.Name)
		b = binary.AppendUvarint(b, uint64(len(v.Values)))
		for _, value := range v.Values {
			b = appendText(b, value)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func flag(f uint64, on bool) uint64 {
	if on {
		return f
	}
	return 0
}
