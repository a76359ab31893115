package dispatch

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/pkg/push/wire"
)

// suppressed is the code of tokens that were not sent since they are known
// dead. No vendor says it, so it stands at a level of our own.
const suppressed = "/postrider/suppressed"

// suppress ends the tokens that were found dead after their jobs' start. They
// stand in the feed already. A job that starts later is believed: the phone may
// have registered again.
func (d *Dispatcher) suppress(ctx context.Context, c *claim) error {
	if d.Gone == nil || c.left == 0 {
		return nil
	}
	dead, err := d.Gone.Dead(ctx, c.header.App, c.vendor, c.open.Chunk.Entries)
	if err != nil {
		return fmt.Errorf("look for dead tokens of chunk %s: %w", c.open.Ref, err)
	}
	at := 0
	for i, e := range c.open.Chunk.Entries {
		for range e.Tokens {
			if dead != nil && dead[at] && c.states[at] != wire.Resolved {
				c.suppress(i, at)
			}
			at++
		}
	}
	return nil
}

// suppress gives a token its outcome that is not sent.
func (c *claim) suppress(entry, at int) {
	j := c.job(entry)
	j.Outcomes[wire.Invalid]++
	j.Codes[c.vendor+suppressed]++
	c.resolve(at)
}
