package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch/group"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// batches are those of the claim's tokens that may be sent now. If there are
// several, or something of the claim is to be recorded anyway, the keys that some
// of them need are recorded with that.
func (d *Dispatcher) batches(ctx context.Context, a *account.Account, c *claim) []*batch {
	// What cannot be known now is asked again right before the request.
	parked, _ := d.Gate.Parked(ctx, a, c.jobIDs)
	all, err := c.batches(a, parked, d.Now())
	if err != nil {
		d.Log.Error().Err(err).Str("chunk", c.open.Ref).Msg("unreadable message")
		c.putBack(d.Now().Add(unknownApp), err.Error())
		return nil
	}
	if len(all) > 1 || c.unrecorded().step != nil {
		for _, b := range all {
			identify(b)
			b.Unrecorded = false // it is recorded before any of them is sent
		}
	}
	return all
}

// batches distributes the claim's unresolved tokens over batches, but for those
// of parked jobs, for which the chunk comes back.
func (c *claim) batches(a *account.Account, parked map[string]time.Time, now time.Time) ([]*batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	split := group.Splitter[*claim]{Account: a, Priority: c.priority, Cap: c.cap, Several: len(c.open.Chunk.Entries) > 1}
	read := map[int]content{}
	first := 0
	for i := range c.open.Chunk.Entries {
		e := &c.open.Chunk.Entries[i]
		m, err := c.content(read, e)
		if err != nil {
			return nil, err
		}
		rest := c.segmentLocked(i, first)
		first += len(e.Tokens)
		if len(rest.Tokens) == 0 {
			continue
		}
		until, probed := parked[e.Job] // probed: its wait is over, and a request with nothing else shows whether it goes on
		if until.After(now) {
			c.askGateAtLocked(comeBackAt(until, now, e), reasonParked)
			continue
		}
		for len(rest.Tokens) > 0 {
			at := rest.Place(0)
			split.Add(&rest, c.sameKey(&rest), group.Terms{
				Key: c.groupKey(e, m.digest, at), Message: m.message, Exclusive: probed, Shared: c.oldKey(e) || c.storedKey(at) != "",
			})
		}
	}
	return split.Batches, nil
}

// content is a message as it was read, and what identifies it.
type content struct {
	message *push.Message
	digest  string
}

// content reads the entry's message, once for all entries that have it.
func (c *claim) content(read map[int]content, e *wire.Entry) (content, error) {
	if have, ok := read[e.Message]; ok {
		return have, nil
	}
	m, err := push.DecodeMessage([]byte(c.message(e)))
	if err != nil {
		return content{}, fmt.Errorf("message of job %s: %w", e.Job, err)
	}
	read[e.Message] = content{&m, c.digest(e)}
	return read[e.Message], nil
}

// segmentLocked is the unresolved tokens of an entry, whose first token has place
// first.
func (c *claim) segmentLocked(entry, first int) segment {
	e := &c.open.Chunk.Entries[entry]
	unresolved := 0
	for _, s := range c.states[first : first+len(e.Tokens)] {
		if s != wire.Resolved {
			unresolved++
		}
	}
	if unresolved == len(e.Tokens) {
		return group.Whole(c, e, entry, e.Tokens, first)
	}
	tokens, places := make([]string, 0, unresolved), make([]int, 0, unresolved)
	for i, t := range e.Tokens {
		if c.states[first+i] != wire.Resolved {
			tokens, places = append(tokens, t), append(places, first+i)
		}
	}
	return group.Some(c, e, entry, tokens, places)
}
