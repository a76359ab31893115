package play

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Receipts say where a vendor reports what became of the pushes that it
// accepted. Tokens that begin with "lost-" are reported as devices that removed
// the app, all others as reached. The other fields make the vendor misbehave.
type Receipts struct {
	// URL is the address that is set in the vendor's console for the app; a
	// request may name another one.
	URL string `json:"url,omitempty"`
	// User and Secret are what the vendor signs with, if it does.
	User   string `json:"user,omitempty"`
	Secret string `json:"secret,omitempty"`
	// Twice sends every call a second time.
	Twice bool `json:"twice,omitempty"`
	// Unknown adds to every call a token and a tag that were never sent.
	Unknown bool `json:"unknown,omitempty"`
	// Late is how long after the push a call is made.
	Late Duration `json:"late,omitempty"`
}

// maxReceipts is the highest number of tokens in one call.
const maxReceipts = 100

// ReceiptRequest is what a request says about its receipts.
type ReceiptRequest struct {
	URL string // where to send them; "" means Receipts.URL
	Tag string // what they repeat, so that the client knows which push they are for
}

// CallbackIn reads the members callback and callback.param of an object. Several
// vendors ask in this form.
func CallbackIn(extra map[string]any) (r ReceiptRequest) {
	r.URL, _ = extra["callback"].(string)
	r.Tag, _ = extra["callback.param"].(string)
	return r
}

// Outcome is what became of one token.
type Outcome struct {
	ReceiptRequest
	Token string
	Lost  bool // the app was removed
}

// ReceiptCall is one call with receipts in the vendor's own form. A nil Body
// means that there is nothing to send.
type ReceiptCall struct {
	Header      http.Header
	Query       url.Values
	ContentType string
	Body        []byte
}

// SetReceipts makes a vendor send receipts from now on; nil ends it.
func (s *Server) SetReceipts(vendor string, r *Receipts) error {
	p := s.players[vendor]
	switch {
	case p == nil:
		return fmt.Errorf("vendor %q is not played here", vendor)
	case p.Receipts == nil && r != nil:
		return fmt.Errorf("vendor %q sends no receipts", vendor)
	}
	p.receipts.Store(r)
	return nil
}

// SendReceipts sends receipts for every token that was accepted, if the vendor is
// set to send them. requests holds one element for all tokens, or one for each.
// It does not wait for them.
func (c *Call) SendReceipts(requests ...ReceiptRequest) {
	r := c.player.receipts.Load()
	if r == nil || len(requests) == 0 {
		return
	}
	byURL := map[string][]Outcome{}
	for i, t := range c.Tokens {
		request := requests[min(i, len(requests)-1)]
		if request.URL = cmp.Or(request.URL, r.URL); request.URL != "" && !c.Rejected(i) {
			byURL[request.URL] = append(byURL[request.URL], Outcome{request, string(t), bytes.HasPrefix(t, []byte("lost-"))})
		}
	}
	s, p, app := c.server, c.player, c.App // c is reused for other requests meanwhile
	for address, all := range byURL {
		for part := range slices.Chunk(all, maxReceipts) {
			s.sending.Go(func() { s.sendReceiptCall(p, *r, address, app, part) })
		}
	}
}

// sendReceiptCall makes one call, or two where receipts come twice.
func (s *Server) sendReceiptCall(p *player, r Receipts, address, app string, outcomes []Outcome) {
	if !s.pause(time.Duration(r.Late)) {
		return
	}
	if r.Unknown {
		outcomes = append(slices.Clip(outcomes), Outcome{ReceiptRequest{address, strings.Repeat("f", 32)}, "nobody", true})
	}
	one := p.Receipts(r, app, s.opt.Now(), outcomes)
	if one.Body == nil {
		return
	}
	s.post(p, address, one)
	if r.Twice {
		s.post(p, address, one)
	}
}

// pause waits for d. It is false when the server stops meanwhile.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}

// post makes a call once, as most vendors do, and records any answer but 200 as a
// violation.
func (s *Server) post(p *player, address string, one ReceiptCall) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if len(one.Query) > 0 {
		address += "?" + one.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(one.Body))
	if err != nil {
		p.stats.violations.add(Violation{Vendor: p.Name, Endpoint: "receipts", What: "the address is not a URL"})
		return
	}
	if one.Header != nil {
		req.Header = one.Header.Clone()
	}
	req.Header.Set("Content-Type", one.ContentType)
	what := "no answer"
	if resp, err := s.receiptClient.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body) // nothing depends on it
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			p.receiptsSent.Add(1)
			return
		}
		what = "answered with HTTP " + resp.Status
	}
	p.stats.violations.add(Violation{Vendor: p.Name, Endpoint: "receipts", What: what})
}
