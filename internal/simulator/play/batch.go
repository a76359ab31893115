package play

import (
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"
)

// shards is the number of parts of a vendor's counts, each with its own lock.
const shards = 64

// batch holds the tokens of one request as hashes, linked by shard, so that a
// thousand tokens take 64 locks and not a thousand.
type batch struct {
	hashes   []xxh3.Uint128
	head     [shards]int32 // the first of a shard's list, -1 for none
	next     []int32       // the next in the same list, -1 for none
	rejected []bool        // tokens that add leaves out
	table    []int32       // for duplicates
}

// load hashes tokens and rejects none.
func (b *batch) load(tokens [][]byte) {
	n := len(tokens)
	b.hashes = slices.Grow(b.hashes[:0], n)[:n]
	b.next = slices.Grow(b.next[:0], n)[:n]
	b.rejected = slices.Grow(b.rejected[:0], n)[:n]
	clear(b.rejected)
	for i := range b.head {
		b.head[i] = -1
	}
	for i, t := range tokens {
		h := xxh3.Hash128(t)
		s := h.Lo % shards
		b.hashes[i], b.next[i], b.head[s] = h, b.head[s], int32(i)
	}
}

// reject leaves token i out of what Counts.Add counts.
func (b *batch) reject(i int) { b.rejected[i] = true }

// duplicates counts the tokens that are in the batch a second time or more.
func (b *batch) duplicates() (n int) {
	size := 1 << bits.Len(uint(2*len(b.hashes)))
	b.table = slices.Grow(b.table[:0], size)[:size]
	clear(b.table)
	for i, h := range b.hashes {
		at := int(h.Hi>>32) & (size - 1)
		for b.table[at] != 0 && b.hashes[b.table[at]-1] != h {
			at = (at + 1) & (size - 1)
		}
		if b.table[at] != 0 {
			n++
		}
		b.table[at] = int32(i + 1)
	}
	return n
}
