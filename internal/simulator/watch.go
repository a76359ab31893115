package simulator

import "time"

// Seen is one request as Options.Watch is told of it. Its slices are the
// simulator's own and change once Watch has returned.
type Seen struct {
	Vendor, Endpoint string
	// Host is the address that the client asked for: it tells clients apart
	// that were given different names for the simulator.
	Host   string
	At     time.Time // when the request came
	Body   []byte
	Tokens [][]byte // the push tokens, in order
	// Judged tells that the vendor took the request and looked at each token;
	// Accepted, of each, whether it was accepted just now. One that was not is
	// invalid, or a repetition that the vendor recognized.
	Judged   bool
	Accepted []bool
	// Fault is the rule that fired; "" for none.
	Fault string
}

// tell tells the watch of a call.
func (s *Simulator) tell(c *call, fault string) {
	if s.opt.Watch == nil {
		return
	}
	seen := Seen{
		Vendor: c.p.name, Endpoint: c.e.name, Host: c.r.Host, At: c.now, Body: c.body, Tokens: c.tokens,
		Judged: c.counted, Fault: fault,
	}
	if c.counted {
		seen.Accepted = make([]bool, len(c.tokens))
		for i := range seen.Accepted {
			seen.Accepted[i] = !c.batch.dead[i]
		}
	}
	s.opt.Watch(seen)
}
