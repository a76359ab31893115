package play

import "time"

// Seen is one request to a vendor, as Options.Watch receives it. Its slices are
// reused after Watch has returned.
type Seen struct {
	Vendor, Endpoint string
	// Host is the host that the client asked for: it tells clients apart that
	// were given different host names for one server.
	Host   string
	At     time.Time // when the request came
	Body   []byte
	Tokens [][]byte // the push tokens, in order
	// Judged: the vendor handled the request and looked at each token. Accepted
	// then says for each token whether this request was accepted for it; one that
	// was not accepted is invalid, or a repetition that the vendor recognized.
	Judged   bool
	Accepted []bool
	// Fault is the rule that fired; "" for none.
	Fault string
}

func (s *Server) notifyWatch(c *Call, fault string) {
	if s.opt.Watch == nil {
		return
	}
	seen := Seen{
		Vendor: c.player.Name, Endpoint: c.endpoint.Name, Host: c.Request.Host, At: c.Now, Body: c.Body, Tokens: c.Tokens,
		Judged: c.counted, Fault: fault,
	}
	if c.counted {
		seen.Accepted = make([]bool, len(c.Tokens))
		for i := range seen.Accepted {
			seen.Accepted[i] = !c.Rejected(i)
		}
	}
	s.opt.Watch(seen)
}
