package dispatch

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A token has one idempotency key on every try, and two jobs have two, whatever
// they say. The key follows from message and job, so that nothing has to be
// written. Only where tokens of several jobs share a message in one request, and
// with it one key, the key is drawn at random, and is in the tail of each of
// their chunks before the request is made. A chunk of which no step was ever
// recorded has not been sent under any key; only its tokens join others.

// requestKey is the idempotency key of a message: of the job, or, in chunks of
// version 1, of all small jobs that began in the same epoch.
func requestKey(digest string, epoch int64, job string) string {
	sum := sha256.Sum256([]byte(digest + strconv.FormatInt(epoch, 10) + job))
	return hex.EncodeToString(sum[:16])
}

// joinKey is what the token at a place of the chunk shares a request by, beside
// app and vendor.
func (c *claim) joinKey(e wire.Entry, digest string, at int) joinKey {
	k := joinKey{digest: digest}
	switch drawn := c.storedKey(at); {
	case drawn != "":
		k.key = drawn
	case c.oldKey(e):
		k.key = requestKey(k.digest, e.Start/near.Milliseconds(), "")
	case e.Message < 0 || !c.fresh:
		k.key = requestKey(k.digest, 0, e.Job)
	default:
		k.start = e.Start / near.Milliseconds()
	}
	return k
}

// digest identifies the entry's message.
func (c *claim) digest(e wire.Entry) string {
	if c.header.Message != "" {
		return c.header.Message
	}
	return push.Digest(c.header.App, []byte(c.message(e)))
}

// oldKey: the entry is in a chunk of version 1 and shares its key with other jobs.
func (c *claim) oldKey(e wire.Entry) bool { return c.open.Chunk.Version == 1 && e.Message >= 0 }

// letterKey is the key that a dead letter of the token has to carry: one that
// its replay could not make from job and message.
func (c *claim) letterKey(e wire.Entry, at int) string {
	if c.oldKey(e) {
		return requestKey(c.digest(e), e.Start/near.Milliseconds(), "")
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

// sameKey is how many tokens at the span's front have the same stored key.
func (s *span) sameKey() int {
	if s.c.tail.Keys == nil {
		return len(s.tokens)
	}
	n := 1
	for n < len(s.tokens) && s.c.tail.Keys[s.place(n)] == s.c.tail.Keys[s.place(0)] {
		n++
	}
	return n
}

// job tells the parcel's only job, or that it has several.
func (p *parcel) job() (job string, several bool) {
	for _, s := range p.spans {
		switch has := s.c.open.Chunk.Entries[s.entry].Job; {
		case job == "":
			job = has
		case job != has:
			return "", true
		}
	}
	return job, false
}

// identify gives the parcel its idempotency key before its first request. One
// with several jobs gets a random one, that is noted to be recorded: the caller
// settles its claims before the request.
func (p *parcel) identify() {
	if p.tag != "" {
		return
	}
	job, several := p.job()
	if !several {
		p.tag = requestKey(p.digest, 0, job)
		return
	}
	p.shared, p.unrecorded = true, true
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	p.tag = hex.EncodeToString(b[:])
	for _, s := range p.spans {
		s.c.mu.Lock()
		s.c.pending()
		if s.c.tail.Keys == nil {
			s.c.tail.Keys = make([]string, len(s.c.states))
		}
		for i := range s.tokens {
			s.c.tail.Keys[s.place(i)] = p.tag
		}
		s.c.mu.Unlock()
	}
}
