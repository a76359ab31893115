package simulator

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

// Receipts say where a vendor tells what became of the pushes that it accepted,
// and how badly. Tokens that begin with "lost-" turn out to be of phones that
// removed the app; all others are reached.
type Receipts struct {
	// URL is the address that the app's console has; requests may name another.
	URL string `json:"url,omitempty"`
	// User and Secret are what the vendor signs with, if it does.
	User   string `json:"user,omitempty"`
	Secret string `json:"secret,omitempty"`
	// Twice has every call made a second time.
	Twice bool `json:"twice,omitempty"`
	// Unknown adds a token and a tag to every call that nobody ever sent.
	Unknown bool `json:"unknown,omitempty"`
	// Late is how long after the push a call is made.
	Late Duration `json:"late,omitempty"`
}

// mostReceipts is how many tokens the vendors tell of in one call.
const mostReceipts = 100

// asked is what a request said about receipts: what they are to repeat and,
// where the vendor is told with every request, their address.
type asked struct{ url, tag string }

// askedIn reads the object in which vivo, Xiaomi and Meizu are asked.
func askedIn(extra map[string]any) (a asked) {
	a.url, _ = extra["callback"].(string)
	a.tag, _ = extra["callback.param"].(string)
	return a
}

// oppoAsked reads OPPO's notification.
func oppoAsked(n map[string]any) (a asked) {
	a.url, _ = n["call_back_url"].(string)
	a.tag, _ = n["call_back_parameter"].(string)
	return a
}

// fate is what became of one token.
type fate struct {
	asked
	token string
	lost  bool // the app was removed
}

// letter is one call with receipts, as its vendor writes it. The zero value is
// no call: the vendor has no word for such a fate.
type letter struct {
	header      http.Header
	query       url.Values
	contentType string
	body        []byte
}

// letters are the calls of all vendors by name.
var letters = map[string]func(r Receipts, app string, now time.Time, list []fate) letter{
	"huawei":  huaweiLetter,
	"harmony": harmonyLetter,
	"honor":   honorLetter,
	"oppo":    oppoLetter,
	"vivo":    vivoLetter,
	"xiaomi":  xiaomiLetter,
	"meizu":   meizuLetter,
	"tim":     timLetter,
}

// SetReceipts has a vendor send receipts from now on; nil: no longer.
func (s *Simulator) SetReceipts(vendor string, r *Receipts) error {
	p := s.players[vendor]
	if p == nil {
		return fmt.Errorf("vendor %q is not played here", vendor)
	}
	p.receipts.Store(r)
	return nil
}

// owe has the vendor tell of every token that was accepted, if it sends
// receipts. ask holds what was asked for all tokens, or for each.
func (c *call) owe(ask ...asked) {
	r := c.p.receipts.Load()
	if r == nil || len(ask) == 0 {
		return
	}
	calls := map[string][]fate{}
	for i, t := range c.tokens {
		a := ask[min(i, len(ask)-1)]
		if a.url = cmp.Or(a.url, r.URL); a.url != "" && !c.batch.dead[i] {
			calls[a.url] = append(calls[a.url], fate{a, string(t), bytes.HasPrefix(t, []byte("lost-"))})
		}
	}
	sim, p, app := c.sim, c.p, c.app // c serves other requests meanwhile
	for address, list := range calls {
		for part := range slices.Chunk(list, mostReceipts) {
			sim.underway.Go(func() { sim.notify(p, *r, address, app, part) })
		}
	}
}

// notify makes one call, or two where receipts come twice.
func (s *Simulator) notify(p *player, r Receipts, address, app string, list []fate) {
	if !s.pause(time.Duration(r.Late)) {
		return
	}
	if r.Unknown {
		list = append(slices.Clip(list), fate{asked{address, strings.Repeat("f", 32)}, "nobody", true})
	}
	n := letters[p.name](r, app, s.opt.Now(), list)
	if n.body == nil {
		return
	}
	s.post(p, address, n)
	if r.Twice {
		s.post(p, address, n)
	}
}

// pause is false when the server stops meanwhile.
func (s *Simulator) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}

// post makes a call once, as most vendors do, and records an answer that they
// would not take.
func (s *Simulator) post(p *player, address string, n letter) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if len(n.query) > 0 {
		address += "?" + n.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(n.body))
	if err != nil {
		p.stats.violations.add(Violation{Vendor: p.name, Endpoint: "receipts", What: "the address is no URL"})
		return
	}
	if n.header != nil {
		req.Header = n.header.Clone()
	}
	req.Header.Set("Content-Type", n.contentType)
	what := "nobody answered"
	if resp, err := s.courier.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body) // nothing depends on it
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			p.told.Add(1)
			return
		}
		what = "answered with HTTP " + resp.Status
	}
	p.stats.violations.add(Violation{Vendor: p.name, Endpoint: "receipts", What: what})
}
