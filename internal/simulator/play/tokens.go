package play

import "github.com/zeebo/xxh3"

// HashTokens prepares the tokens for what follows: rejecting and counting. It
// rejects none.
func (c *Call) HashTokens() { c.batch.load(c.Tokens) }

// FindInvalid hashes the tokens, rejects the invalid ones and returns them. They
// are valid as long as the call.
func (c *Call) FindInvalid() (invalid [][]byte) {
	c.HashTokens()
	for i, t := range c.Tokens {
		if c.Invalid(i) {
			c.Reject(i)
			invalid = append(invalid, t)
		}
	}
	return invalid
}

// Invalid reports whether token i is invalid by the rules that all vendors share.
// The tokens must have been hashed.
func (c *Call) Invalid(i int) bool { return c.server.invalid(c.Tokens[i], c.batch.hashes[i]) }

// Reject leaves token i out of what is accepted.
func (c *Call) Reject(i int) { c.batch.reject(i) }

// Rejected reports whether token i was rejected.
func (c *Call) Rejected(i int) bool { return c.batch.rejected[i] }

// Hash returns the hash of token i.
func (c *Call) Hash(i int) xxh3.Uint128 { return c.batch.hashes[i] }

// Hashes returns the hashes of all tokens. They are valid as long as the call.
func (c *Call) Hashes() []xxh3.Uint128 { return c.batch.hashes }

// Duplicates counts the tokens that are in the request a second time or more.
func (c *Call) Duplicates() int { return c.batch.duplicates() }

// EmptyToken returns the index of the first empty token, or -1.
func (c *Call) EmptyToken() int {
	for i, t := range c.Tokens {
		if len(t) == 0 {
			return i
		}
	}
	return -1
}

// Accept counts every token that was not rejected as accepted, and the others
// as invalid.
func (c *Call) Accept() {
	added, fresh := c.player.seen.Add(&c.batch)
	c.player.stats.accepted(c.App, added, fresh, len(c.Tokens)-added)
	c.counted = true
}

// AcceptExcept is Accept where only some of the rejected tokens are invalid: the
// others are repetitions, see Swallow. It returns how many were accepted.
func (c *Call) AcceptExcept(invalid int) (added int) {
	added, fresh := c.player.seen.Add(&c.batch)
	c.player.stats.accepted(c.App, added, fresh, invalid)
	c.CountSwallowed(c.swallowed)
	c.counted = true
	return added
}

// Swallow rejects token i since it had the message before, under the same
// idempotency key: the vendor answers success and delivers nothing.
func (c *Call) Swallow(i int) {
	c.Reject(i)
	c.swallowed++
}

// CountSwallowed counts tokens whose message was answered with success and
// delivered nothing, see VendorReport.Swallowed.
func (c *Call) CountSwallowed(n int) { c.player.stats.swallow(n) }
