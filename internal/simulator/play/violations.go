package play

import "sync"

// Violation is something that a client must not do. It names no token or secret.
type Violation struct {
	Vendor   string `json:"vendor,omitempty"`
	Endpoint string `json:"endpoint"` // a path for strays
	What     string `json:"what"`
}

// violations keeps the first 100 and counts the others.
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
