package dispatch

import (
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push/wire"
)

// journal is what a step writes of the chunk's tokens: the states, and after
// them the tail. A chunk of version 1 has no tail.
func (c *claim) journal() []byte {
	states := slices.Clone(c.states)
	if c.open.Chunk.Version < wire.ChunkVersion {
		return states
	}
	b := c.tail.Append(states)
	c.tail.Stored = c.tail.Stored || len(b) > len(c.states)
	return b
}

// tries is how many requests of a token have ended with a row, the present one
// included. It changes nothing: see tried.
func (c *claim) tries(row *verdictRow, at int) int {
	return c.tail.Tries[row.tail()][at] + 1
}

// tried counts a request of a token that ended with a row, and that is to be
// made again. A chunk of version 1 has no room for it.
func (c *claim) tried(row *verdictRow, at int) {
	if c.open.Chunk.Version < wire.ChunkVersion {
		return
	}
	if c.tail.Tries == nil {
		c.tail.Tries = map[string]map[int]int{}
	}
	key := row.tail()
	if c.tail.Tries[key] == nil {
		c.tail.Tries[key] = map[int]int{}
	}
	c.tail.Tries[key][at]++
}

// tail is the row's name in a chunk's tail: level and code.
func (r *verdictRow) tail() string {
	_, row, _ := strings.Cut(r.key, "/")
	return row
}
