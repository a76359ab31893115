package dispatch

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/postrider/postrider/internal/dispatch/group"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A token has one idempotency key on every try, and two jobs have two, whatever
// they say. The key follows from message and job, so that nothing has to be
// stored. Only where tokens of several jobs share a message in one request, and
// with it one key, the key is drawn at random, and is in the tail of each of
// their chunks before the request is made. A chunk of which no step was ever
// recorded has not been sent under any key; only its tokens join others.

// requestKey is the idempotency key of a message: of the job, or, in chunks of
// version 1, of all small jobs that began in the same epoch.
func requestKey(digest string, epoch int64, job string) string {
	sum := sha256.Sum256([]byte(digest + strconv.FormatInt(epoch, 10) + job))
	return hex.EncodeToString(sum[:16])
}

// epoch is when the entry's job starts, in units of group.Near.
func epoch(e *wire.Entry) int64 { return e.Start / group.Near.Milliseconds() }

// groupKey is what the token at a place of the chunk shares a request by, beside
// app and vendor.
func (c *claim) groupKey(e *wire.Entry, digest string, at int) group.Key {
	k := group.Key{Digest: digest}
	switch drawn := c.storedKey(at); {
	case drawn != "":
		k.Request = drawn
	case c.oldKey(e):
		k.Request = requestKey(digest, epoch(e), "")
	case e.Message < 0 || !c.fresh:
		k.Request = requestKey(digest, 0, e.Job)
	default:
		k.Start = epoch(e)
	}
	return k
}

// digest identifies the entry's message.
func (c *claim) digest(e *wire.Entry) string {
	if c.header.Message != "" {
		return c.header.Message
	}
	return push.Digest(c.header.App, []byte(c.message(e)))
}

// oldKey: the entry is in a chunk of version 1 and shares its key with other jobs.
func (c *claim) oldKey(e *wire.Entry) bool { return c.open.Chunk.Version == 1 && e.Message >= 0 }

// replayKey is the key that a dead letter of the token has to contain: one that
// its replay could not make from job and message.
func (c *claim) replayKey(e *wire.Entry, at int) string {
	if c.oldKey(e) {
		return requestKey(c.digest(e), epoch(e), "")
	}
	return c.storedKey(at)
}

// storedKey is the idempotency key that was drawn for a token; "": none was.
func (c *claim) storedKey(at int) string {
	if c.tail.Keys == nil {
		return ""
	}
	return c.tail.Keys[at]
}

// sameKey is how many tokens at the segment's front have the same stored key.
func (c *claim) sameKey(s *segment) int {
	if c.tail.Keys == nil {
		return len(s.Tokens)
	}
	n := 1
	for n < len(s.Tokens) && c.tail.Keys[s.Place(n)] == c.tail.Keys[s.Place(0)] {
		n++
	}
	return n
}

// storeKey notes a key that was drawn for the segment's tokens.
func (c *claim) storeKey(s *segment, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeLocked()
	if c.tail.Keys == nil {
		c.tail.Keys = make([]string, len(c.states))
	}
	for i := range s.Tokens {
		c.tail.Keys[s.Place(i)] = key
	}
}

// identify gives the batch its idempotency key before its first request. A batch
// of several jobs gets a random one, which has to be recorded before the request.
func identify(b *batch) {
	if b.Tag != "" {
		return
	}
	job, several := b.Job()
	if !several {
		b.Tag = requestKey(b.Digest, 0, job)
		return
	}
	b.Shared, b.Unrecorded = true, true
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	b.Tag = hex.EncodeToString(random[:])
	for i := range b.Segments {
		s := &b.Segments[i]
		s.Owner.storeKey(s, b.Tag)
	}
}
