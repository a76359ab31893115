package play

// Report is what the server saw since its start or the last Reset.
type Report struct {
	Vendors map[string]VendorReport `json:"vendors"`
	// Strays are requests to paths that no vendor has: the first 100, with the
	// number of all in StrayCount.
	Strays     []Violation `json:"strays"`
	StrayCount int64       `json:"stray_count"`
}

// VendorReport is what one vendor saw.
type VendorReport struct {
	Requests  int64            `json:"requests"`
	Endpoints map[string]int64 `json:"endpoints"` // requests by endpoint

	// Accepted counts the push tokens that messages were accepted for, Distinct
	// each token once, Duplicates every time after a token's first.
	Accepted   int64            `json:"accepted"`
	Distinct   int64            `json:"distinct"`
	Duplicates int64            `json:"duplicates"`
	Apps       map[string]int64 `json:"apps"` // accepted, by app
	// Invalid counts the tokens that were answered as invalid in requests whose
	// other tokens, if any, were accepted.
	Invalid int64 `json:"invalid"`
	// Swallowed counts the tokens whose message was answered with success and
	// delivered nothing, since they had one under the same idempotency key (like
	// OPPO's app_message_id). A client that repeats a request that had no answer
	// causes them, and so does one that gives two messages one key, which loses the
	// second. They are not in Accepted.
	Swallowed int64 `json:"swallowed"`

	Receipts int64 `json:"receipts"` // receipt calls that were answered with 200

	RateRefused int64            `json:"rate_refused"` // requests refused for the app's rate
	Grants      int64            `json:"grants"`       // access tokens issued
	Faults      map[string]int64 `json:"faults"`       // times fired, by rule

	// Violations are what clients did wrong, also where the vendor forgives it: the
	// first 100, with the number of all in ViolationCount.
	Violations     []Violation `json:"violations"`
	ViolationCount int64       `json:"violation_count"`

	InFlightPeak int `json:"in_flight_peak"` // most requests open at once
	// The peaks are the most in any second, measured in steps of 10 ms: push tokens
	// in requests, accepted or not, and requests.
	TokensPerSecondPeak   int64 `json:"tokens_per_second_peak"`
	RequestsPerSecondPeak int64 `json:"requests_per_second_peak"`
}

// Violations counts what clients did wrong at all vendors, and strays.
func (r Report) Violations() int64 {
	n := r.StrayCount
	for _, v := range r.Vendors {
		n += v.ViolationCount
	}
	return n
}

// Report returns what was seen so far. Every request that was answered is in it.
func (s *Server) Report() Report {
	r := Report{Vendors: map[string]VendorReport{}}
	r.Strays, r.StrayCount = s.strays.list()
	for name, p := range s.players {
		v := p.stats.report()
		v.Receipts = p.receiptsSent.Load()
		v.Violations, v.ViolationCount = p.stats.violations.list()
		r.Vendors[name] = v
	}
	return r
}

// Count returns how often a vendor accepted a token, at most 65,535. It is 0 for
// a vendor that is not played here.
func (s *Server) Count(vendor, token string) int {
	p := s.players[vendor]
	if p == nil {
		return 0
	}
	return p.seen.of(token)
}

// Reset forgets what was counted, the journal and how much of the rates is used.
// Fault rules, access tokens and how many were granted stay.
func (s *Server) Reset() {
	s.strays.reset()
	s.journal.reset()
	for _, p := range s.players {
		p.stats.reset()
		p.seen.reset()
		p.receiptsSent.Store(0)
	}
}
