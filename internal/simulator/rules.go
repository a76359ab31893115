package simulator

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
)

// rules holds the faults in force.
type rules struct {
	luck  *chance
	any   atomic.Bool // spares most requests the lock
	mu    sync.Mutex
	list  []*rule
	named int // how many rules got a name from us
}

type rule struct {
	Fault
	matched, fired int
}

// SetFaults replaces all rules; nil ends all misbehaviour. A *FaultError names
// the first bad rule's field, and then nothing changes.
func (s *Simulator) SetFaults(faults []Fault) error {
	if err := checkFaults(faults, s.players); err != nil {
		return err
	}
	s.rules.set(faults)
	return nil
}

// AddFaults appends rules. One with the name of an earlier rule takes its place
// and counts anew. A *FaultError names the first bad rule's field, and then
// nothing changes.
func (s *Simulator) AddFaults(faults ...Fault) error {
	if err := checkFaults(faults, s.players); err != nil {
		return err
	}
	s.rules.add(faults)
	return nil
}

// Faults returns the rules in force, in the order in which they are tried.
func (s *Simulator) Faults() []Fault {
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
func (rs *rules) pick(c *call) *Fault {
	if !rs.any.Load() {
		return nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.list {
		if r.matches(c) && r.fires(rs.luck) {
			c.p.stats.fault(r.Name)
			f := r.Fault
			return &f
		}
	}
	return nil
}

func (r *rule) matches(c *call) bool {
	if r.Vendor != "" && r.Vendor != c.p.name || r.Endpoint != "" && r.Endpoint != c.e.name || r.App != "" && r.App != c.app {
		return false
	}
	if r.TokenPrefix == "" {
		return true
	}
	for _, t := range c.tokens {
		if bytes.HasPrefix(t, []byte(r.TokenPrefix)) {
			return true
		}
	}
	return false
}

// fires counts a match and tells whether it is one that does harm.
func (r *rule) fires(ch *chance) bool {
	r.matched++
	if r.matched <= r.After || r.Times > 0 && r.fired >= r.Times {
		return false
	}
	if r.Probability > 0 && ch.float() >= r.Probability {
		return false
	}
	r.fired++
	return true
}
