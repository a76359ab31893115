package simulator

import (
	"maps"
	"sync"
	"time"
)

// stats is what one vendor saw, apart from the tokens' own counts.
type stats struct {
	violations violations

	mu        sync.Mutex
	requests  int64
	endpoints map[string]int64
	tokens    int64
	distinct  int64
	invalid   int64
	swallowed int64
	refused   int64
	grants    int64
	byApp     map[string]int64
	faults    map[string]int64
	flight    int
	mostFlies int
	perSecond window // tokens
	reqSecond window // requests
	rates     map[string]*window
}

// enter counts a request that has begun and returns what ends it.
func (s *stats) enter(endpoint string, now time.Time) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	bump(&s.endpoints, endpoint, 1)
	s.reqSecond.add(now, 1)
	s.flight++
	s.mostFlies = max(s.mostFlies, s.flight)
	return s.leave
}

func (s *stats) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight--
}

// present counts tokens that stood in a request, whatever becomes of them.
func (s *stats) present(now time.Time, tokens int) {
	if tokens == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perSecond.add(now, int64(tokens))
}

func (s *stats) accepted(app string, tokens, fresh, invalid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens += int64(tokens)
	s.distinct += int64(fresh)
	s.invalid += int64(invalid)
	bump(&s.byApp, app, int64(tokens))
}

// swallow counts tokens whose message was a repetition of one that they had.
func (s *stats) swallow(tokens int) {
	if tokens == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swallowed += int64(tokens)
}

func (s *stats) granted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants++
}

func (s *stats) fault(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bump(&s.faults, name, 1)
}

// limited tells whether an app already has rate events in the last second; else
// it counts n more. A rate of 0 or less means no limit.
func (s *stats) limited(app string, now time.Time, n int, rate float64) bool {
	if rate <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.rates[app]
	if w == nil {
		if s.rates == nil {
			s.rates = map[string]*window{}
		}
		w = new(window)
		s.rates[app] = w
	}
	if float64(w.last(now)) >= rate {
		s.refused++
		return true
	}
	w.add(now, int64(n))
	return false
}

// reset forgets everything but the requests that are in flight.
func (s *stats) reset() {
	s.violations.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.tokens, s.distinct, s.invalid, s.swallowed, s.refused, s.grants = 0, 0, 0, 0, 0, 0, 0
	s.endpoints, s.byApp, s.faults, s.rates = nil, nil, nil, nil
	s.mostFlies, s.perSecond, s.reqSecond = s.flight, window{}, window{}
}

func (s *stats) report() VendorReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return VendorReport{
		Requests: s.requests, Endpoints: maps.Clone(s.endpoints), Apps: maps.Clone(s.byApp),
		Accepted: s.tokens, Distinct: s.distinct, Duplicates: s.tokens - s.distinct,
		Invalid: s.invalid, Swallowed: s.swallowed, RateRefused: s.refused, Grants: s.grants, Faults: maps.Clone(s.faults),
		InFlightPeak: s.mostFlies, TokensPerSecondPeak: s.perSecond.peak, RequestsPerSecondPeak: s.reqSecond.peak,
	}
}

func bump(m *map[string]int64, key string, n int64) {
	if *m == nil {
		*m = map[string]int64{}
	}
	(*m)[key] += n
}

// violations keeps the first hundred and counts the rest.
type violations struct {
	mu    sync.Mutex
	first []Violation
	n     int64
}

func (v *violations) add(one Violation) {
	const most = 100
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n++
	if len(v.first) < most {
		v.first = append(v.first, one)
	}
}

func (v *violations) list() ([]Violation, int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Violation{}, v.first...), v.n // a list in JSON, also when empty
}

func (v *violations) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.first, v.n = nil, 0
}
