package play

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
)

// rules holds the faults in force.
type rules struct {
	rng   *rng
	any   atomic.Bool // false: there are no rules, and the lock is not needed
	mu    sync.Mutex
	list  []*rule
	named int // how many rules had no name and were given one
}

// rule is a fault with its counts.
type rule struct {
	Fault
	matched, fired int
}

// SetFaults replaces all rules; nil removes them. A *FaultError names the wrong
// field of the first wrong rule, and then nothing changes.
func (s *Server) SetFaults(faults []Fault) error {
	if err := checkFaults(faults, s.players); err != nil {
		return err
	}
	s.rules.set(faults)
	return nil
}

// AddFaults appends rules. One with the name of an earlier rule replaces it, and
// its counts begin at 0. A *FaultError names the wrong field of the first wrong
// rule, and then nothing changes.
func (s *Server) AddFaults(faults ...Fault) error {
	if err := checkFaults(faults, s.players); err != nil {
		return err
	}
	s.rules.add(faults)
	return nil
}

// Faults returns the rules in force, in the order in which they are tried.
func (s *Server) Faults() []Fault {
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	faults := make([]Fault, len(s.rules.list))
	for i, r := range s.rules.list {
		faults[i] = r.Fault
	}
	return faults
}

func (rs *rules) set(faults []Fault) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.list = nil
	rs.append(faults)
}

func (rs *rules) add(faults []Fault) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.append(faults)
}

func (rs *rules) append(faults []Fault) {
	for _, f := range faults {
		if f.Name == "" {
			rs.named++
			f.Name = "fault " + strconv.Itoa(rs.named)
		}
		if i := rs.index(f.Name); i >= 0 {
			rs.list[i] = &rule{Fault: f}
			continue
		}
		rs.list = append(rs.list, &rule{Fault: f})
	}
	rs.any.Store(len(rs.list) > 0)
}

func (rs *rules) index(name string) int {
	for i, r := range rs.list {
		if r.Name == name {
			return i
		}
	}
	return -1
}

// pick returns the rule that fires for a call, or nil.
func (rs *rules) pick(c *Call) *Fault {
	if !rs.any.Load() {
		return nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.list {
		if r.matches(c) && r.fires(rs.rng) {
			c.player.stats.fault(r.Name)
			f := r.Fault
			return &f
		}
	}
	return nil
}

func (r *rule) matches(c *Call) bool {
	if r.Vendor != "" && r.Vendor != c.player.Name || r.Endpoint != "" && r.Endpoint != c.endpoint.Name || r.App != "" && r.App != c.App {
		return false
	}
	if r.TokenPrefix == "" {
		return true
	}
	for _, t := range c.Tokens {
		if bytes.HasPrefix(t, []byte(r.TokenPrefix)) {
			return true
		}
	}
	return false
}

// fires counts a match and reports whether the rule fires for it.
func (r *rule) fires(random *rng) bool {
	r.matched++
	if r.matched <= r.After || r.Times > 0 && r.fired >= r.Times {
		return false
	}
	if r.Probability > 0 && random.float() >= r.Probability {
		return false
	}
	r.fired++
	return true
}
