package wire

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// Tail is what a chunk's journal holds about its tokens in addition to their states.
// It is written together with the states, right after them:
//
//	length | keys { key:16 runs { gap length } } | rows { row tokens { gap count } }
//
// where length counts the bytes that follow it, and a gap is the distance from the
// end of the run, or from the token, before. Bytes after that length are left from a
// longer tail, and mean nothing.
type Tail struct {
	// Keys are the tokens' idempotency keys that were generated for a request of
	// several jobs, 32 hex digits each, or "" for a token that has none; nil: none has.
	Keys []string
	// Tries counts, by a row of the code table and then by token, the requests that
	// ended with this row, for rows that limit them.
	Tries map[string]map[int]int
	// Stored: the chunk has a tail in Redis, so an empty one has to be written, too.
	Stored bool
}

// keyLength is that of a key in the tail: 32 hex digits.
const keyLength = 16

// Append writes the tail: nothing at all if it is empty and none is stored.
func (t *Tail) Append(b []byte) []byte {
	if t.Keys == nil && len(t.Tries) == 0 && !t.Stored {
		return b
	}
	body := t.appendTries(t.appendKeys(make([]byte, 0, 64)))
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// run is a number of consecutive tokens.
type run struct{ first, n int }

func (t *Tail) appendKeys(b []byte) []byte {
	var order []string
	runs := map[string][]run{}
	for i, k := range t.Keys {
		if k == "" {
			continue
		}
		of := runs[k]
		if len(of) == 0 {
			order = append(order, k)
		}
		if last := len(of) - 1; last >= 0 && of[last].first+of[last].n == i {
			of[last].n++
			continue
		}
		runs[k] = append(of, run{i, 1})
	}
	b = binary.AppendUvarint(b, uint64(len(order)))
	for _, k := range order {
		raw, err := hex.DecodeString(k)
		if err != nil || len(raw) != keyLength {
			panic("wire: an idempotency key is not 32 hex digits") // dispatch makes them
		}
		b = append(b, raw...)
		b = binary.AppendUvarint(b, uint64(len(runs[k])))
		end := 0
		for _, r := range runs[k] {
			b = binary.AppendUvarint(b, uint64(r.first-end))
			b = binary.AppendUvarint(b, uint64(r.n))
			end = r.first + r.n
		}
	}
	return b
}

func (t *Tail) appendTries(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.Tries)))
	for _, row := range slices.Sorted(maps.Keys(t.Tries)) {
		b = appendText(b, row)
		b = binary.AppendUvarint(b, uint64(len(t.Tries[row])))
		end := 0
		for _, token := range slices.Sorted(maps.Keys(t.Tries[row])) {
			b = binary.AppendUvarint(b, uint64(token-end))
			b = binary.AppendUvarint(b, uint64(t.Tries[row][token]))
			end = token + 1
		}
	}
	return b
}

// decodeTail reads what follows the states of n tokens.
func decodeTail(s string, n int) (Tail, error) {
	if s == "" {
		return Tail{}, nil
	}
	outer := reader{s: s}
	r := reader{s: outer.text(), err: outer.err}
	t := Tail{Stored: true}
	for range r.count(keyLength) {
		if t.Keys == nil {
			t.Keys = make([]string, n)
		}
		r.key(t.Keys)
	}
	for range r.count(2) {
		row := r.text()
		if t.Tries == nil {
			t.Tries = map[string]map[int]int{}
		}
		if _, twice := t.Tries[row]; twice {
			r.fail("a row occurs twice")
		}
		t.Tries[row] = r.tries(n)
	}
	if r.err == nil && r.s != "" {
		r.fail("something follows it")
	}
	return t, r.err
}

// key reads one key with the runs of tokens that have it.
func (r *reader) key(keys []string) {
	if len(r.s) < keyLength {
		r.fail("cut off in a key")
		return
	}
	key := hex.EncodeToString([]byte(r.s[:keyLength]))
	r.s = r.s[keyLength:]
	end := 0
	for range r.count(2) {
		first, ok := r.place(end, len(keys))
		length := r.uvarint()
		if !ok || length == 0 || length > uint64(len(keys)-first) {
			r.fail("a key is for tokens that are not there")
			return
		}
		end = first + int(length)
		for i := first; i < end; i++ {
			if keys[i] != "" {
				r.fail("a token has two keys")
				return
			}
			keys[i] = key
		}
	}
	if end == 0 {
		r.fail("a key is for no token")
	}
}

// tries reads the counts of one row.
func (r *reader) tries(n int) map[int]int {
	all := map[int]int{}
	end := 0
	for range r.count(2) {
		token, ok := r.place(end, n)
		count := r.uvarint()
		if !ok || count == 0 || count > maxTries {
			r.fail("a row counts requests of a token that is not there, or too many or none")
			return nil
		}
		all[token] = int(count)
		end = token + 1
	}
	if len(all) == 0 {
		r.fail("a row counts nothing")
	}
	return all
}

// maxTries is far more than any row of a code table allows.
const maxTries = 1 << 30

// place reads a gap and returns the token of n that it leads to from end.
func (r *reader) place(end, n int) (token int, ok bool) {
	gap := r.uvarint()
	if r.err != nil || gap >= uint64(n-end) {
		return 0, false
	}
	return end + int(gap), true
}

// IsKey reports whether a string is an idempotency key: 32 lower-case hex digits.
func IsKey(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == keyLength && hex.EncodeToString(raw) == s
}
