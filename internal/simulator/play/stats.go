package play

import (
	"maps"
	"sync"
	"time"
)

// stats is what one vendor saw, except how often each token was accepted.
type stats struct {
	violations violations

	mu          sync.Mutex
	requests    int64
	endpoints   map[string]int64
	tokens      int64
	distinct    int64
	invalid     int64
	swallowed   int64
	rateRefused int64
	grants      int64
	byApp       map[string]int64
	faults      map[string]int64
	flight      int
	flightPeak  int
	perSecond   window // tokens
	reqSecond   window // requests
	rates       map[string]*window
}

// enter counts a request that has begun and returns the function that ends it.
func (s *stats) enter(endpoint string, now time.Time) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	bump(&s.endpoints, endpoint, 1)
	s.reqSecond.add(now, 1)
	s.flight++
	s.flightPeak = max(s.flightPeak, s.flight)
	return s.leave
}

func (s *stats) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight--
}

// present counts the tokens of a request, accepted or not.
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

// swallow counts tokens whose message repeated one that they had.
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

// overRate reports whether an app already has rate events in the last second; if
// not, it counts n more. A rate of 0 or less means no limit.
func (s *stats) overRate(app string, now time.Time, n int, rate float64) bool {
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
		s.rateRefused++
		return true
	}
	w.add(now, int64(n))
	return false
}

// reset forgets everything except the requests in flight.
func (s *stats) reset() {
	s.violations.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.tokens, s.distinct, s.invalid, s.swallowed, s.rateRefused, s.grants = 0, 0, 0, 0, 0, 0, 0
	s.endpoints, s.byApp, s.faults, s.rates = nil, nil, nil, nil
	s.flightPeak, s.perSecond, s.reqSecond = s.flight, window{}, window{}
}

func (s *stats) report() VendorReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return VendorReport{
		Requests: s.requests, Endpoints: maps.Clone(s.endpoints), Apps: maps.Clone(s.byApp),
		Accepted: s.tokens, Distinct: s.distinct, Duplicates: s.tokens - s.distinct,
		Invalid: s.invalid, Swallowed: s.swallowed, RateRefused: s.rateRefused, Grants: s.grants, Faults: maps.Clone(s.faults),
		InFlightPeak: s.flightPeak, TokensPerSecondPeak: s.perSecond.peak, RequestsPerSecondPeak: s.reqSecond.peak,
	}
}

// bump adds n to the entry of a map that may be nil.
func bump(m *map[string]int64, key string, n int64) {
	if *m == nil {
		*m = map[string]int64{}
	}
	(*m)[key] += n
}
