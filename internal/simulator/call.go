package simulator

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// longestBody is the most that a request may hold, in bytes: 1,000 tokens of
// 4,096 bytes and a message.
const longestBody = 8 << 20

// call is one request on its way through a vendor. Its memory is used again for
// later requests: nothing may keep its body or tokens.
type call struct {
	sim  *Simulator
	p    *player
	e    *endpoint
	r    *http.Request
	now  time.Time
	body []byte

	app    string   // the app that the request is for, "" when it does not say
	tokens [][]byte // the push tokens, in order
	parsed any      // what the vendor's open keeps for its handle
	batch  batch
	asked  asked
	// counted: the tokens of the batch that are not dead were accepted.
	counted bool
	// dedup is the request's idempotency key, where one holds for all its tokens.
	dedup string
	// swallowed are tokens that had the message before.
	swallowed int
}

func (s *Simulator) begin(r *http.Request, p *player, e *endpoint) *call {
	c := s.calls.Get().(*call)
	c.sim, c.p, c.e, c.r, c.now = s, p, e, r, s.opt.Now()
	return c
}

func (s *Simulator) end(c *call) {
	const keep = 1 << 20 // a rare giant must not stay in memory for ever
	body, tokens, b := c.body[:0], c.tokens[:0], c.batch
	if cap(body) > keep {
		body = nil
	}
	clear(tokens[:cap(tokens)])
	*c = call{body: body, tokens: tokens, batch: b}
	s.calls.Put(c)
}

// read takes the whole body.
func (c *call) read(w http.ResponseWriter) error {
	if n := c.r.ContentLength; n >= 0 && n <= longestBody {
		c.body = slices.Grow(c.body[:0], int(n))[:n]
		_, err := io.ReadFull(c.r.Body, c.body)
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, longestBody))
	c.body = body
	return err
}

// violate records something that the client did wrong. It must not name push
// tokens or secrets.
func (c *call) violate(what string) {
	c.p.stats.violations.add(Violation{Vendor: c.p.name, Endpoint: c.e.name, What: what})
}

func (c *call) violatef(format string, args ...any) { c.violate(fmt.Sprintf(format, args...)) }

// contentType tells whether the request's content type is want, in UTF-8.
func (c *call) contentType(want string) bool {
	t, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	charset, named := params["charset"]
	return err == nil && t == want && (!named || strings.EqualFold(charset, "utf-8"))
}

// limited tells whether the app is over its rate; else it uses up n of it.
func (c *call) limited(n int) bool {
	return c.p.stats.limited(c.app, c.now, n, c.p.opt.rate(c.p.name))
}

// weigh hashes the tokens and finds the invalid ones. It must come before twins
// and accept. The returned tokens are valid as long as the call.
func (c *call) weigh() (invalid [][]byte) {
	c.batch.load(c.tokens)
	for i, t := range c.tokens {
		if c.sim.invalid(t, c.batch.hashes[i]) {
			c.batch.reject(i)
			invalid = append(invalid, t)
		}
	}
	return invalid
}

// accept counts every token that weigh found valid.
func (c *call) accept() {
	added, fresh := c.p.seen.add(&c.batch)
	c.p.stats.accepted(c.app, added, fresh, len(c.tokens)-added)
	c.counted = true
}

// swallow leaves token i out of what accept counts, as one that had the message
// under the same idempotency key before.
func (c *call) swallow(i int) {
	c.batch.reject(i)
	c.swallowed++
}

// acceptBut is accept where failed says how many of the tokens that do not
// count are invalid: others are repetitions. It returns how many count.
func (c *call) acceptBut(failed int) (added int) {
	added, fresh := c.p.seen.add(&c.batch)
	c.p.stats.accepted(c.app, added, fresh, failed)
	c.p.stats.swallow(c.swallowed)
	c.counted = true
	return added
}

// wait lets d pass, or less when the server stops. It is false when the client left.
func (c *call) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.r.Context().Done():
		return false
	case <-c.sim.closing:
		return true
	}
}

// hang waits until the client leaves or the server stops.
func (c *call) hang() {
	select {
	case <-c.r.Context().Done():
	case <-c.sim.closing:
	}
}

// blame records all findings and returns the code of the first that the vendor
// does not forgive, or "".
func (c *call) blame(findings []finding) (code string) {
	for _, f := range findings {
		c.violate(f.what)
		if code == "" {
			code = f.code
		}
	}
	return code
}
