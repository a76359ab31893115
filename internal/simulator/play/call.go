package play

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// longestBody is the most that a request may hold, in bytes: 1,000 tokens of
// 4,096 bytes and a message.
const longestBody = 8 << 20

// Call is one request while a vendor handles it. Its memory is reused for later
// requests: nothing may keep its body or tokens.
type Call struct {
	server   *Server
	player   *player
	endpoint *Endpoint
	batch    batch
	// counted: the tokens of the batch that were not rejected were accepted.
	counted bool
	// swallowed is how many tokens had the message before.
	swallowed int

	Request *http.Request
	Now     time.Time
	Body    []byte

	// An endpoint's open sets these.
	App    string   // the app that the request is for, "" when it does not say
	Tokens [][]byte // the push tokens, in order
	Parsed any      // what open keeps for handle

	// Receipt is what the request says about receipts for all of its tokens.
	Receipt ReceiptRequest
}

func (s *Server) begin(r *http.Request, p *player, e *Endpoint) *Call {
	c := s.calls.Get().(*Call)
	c.server, c.player, c.endpoint, c.Request, c.Now = s, p, e, r, s.opt.Now()
	return c
}

func (s *Server) end(c *Call) {
	const keep = 1 << 20 // a rare large body must not stay in memory
	body, tokens, b := c.Body[:0], c.Tokens[:0], c.batch
	if cap(body) > keep {
		body = nil
	}
	clear(tokens[:cap(tokens)])
	*c = Call{Body: body, Tokens: tokens, batch: b}
	s.calls.Put(c)
}

// read takes the whole body.
func (c *Call) read(w http.ResponseWriter) error {
	if n := c.Request.ContentLength; n >= 0 && n <= longestBody {
		c.Body = slices.Grow(c.Body[:0], int(n))[:n]
		_, err := io.ReadFull(c.Request.Body, c.Body)
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Request.Body, longestBody))
	c.Body = body
	return err
}

// EndpointName is the name of the endpoint that was called.
func (c *Call) EndpointName() string { return c.endpoint.Name }

// Success is the answer of the endpoint that was called when all is well.
func (c *Call) Success() Answer { return c.endpoint.Success(c) }

// Serial returns a number that the server has not returned before, for ids.
func (c *Call) Serial() uint64 { return c.server.lastID.Add(1) }

// Violate records something that the client did wrong. what must not contain
// push tokens or secrets.
func (c *Call) Violate(what string) {
	c.player.stats.violations.add(Violation{Vendor: c.player.Name, Endpoint: c.endpoint.Name, What: what})
}

// Violatef is Violate with a format.
func (c *Call) Violatef(format string, args ...any) { c.Violate(fmt.Sprintf(format, args...)) }

// RecordFindings records all findings as violations and returns the code of the
// first one that the vendor does not forgive, or "".
func (c *Call) RecordFindings(findings []Finding) (code string) {
	for _, f := range findings {
		c.Violate(f.What)
		if code == "" {
			code = f.Code
		}
	}
	return code
}

// OverRate reports whether the app is over its rate. If it is not, the call uses n
// of it, in the unit of Options.Rate.
func (c *Call) OverRate(n int) bool {
	return c.player.stats.overRate(c.App, c.Now, n, c.player.opt.rate(c.player.Name))
}

// wait waits for d, or until the server stops waiting. It is false when the
// client left.
func (c *Call) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.Request.Context().Done():
		return false
	case <-c.server.closing:
		return true
	}
}

// hang waits until the client leaves or the server stops waiting.
func (c *Call) hang() {
	select {
	case <-c.Request.Context().Done():
	case <-c.server.closing:
	}
}
