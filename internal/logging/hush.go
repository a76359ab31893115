package logging

import (
	"cmp"
	"sync"
	"time"
)

// most bounds what is remembered: names are meant to be few.
const most = 1000

// Hush remembers what was said. The zero value is ready; it is safe for
// concurrent use.
type Hush struct {
	// Again is how long the same thing is not said again; 0: a minute.
	Again time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu   sync.Mutex
	said map[string]*line
}

type line struct {
	at   time.Time
	left int
}

// Say tells whether what goes by a name is to be said now, and how often it was
// left out since it was said last.
func (h *Hush) Say(name string) (left int, ok bool) {
	now := time.Now()
	if h.Now != nil {
		now = h.Now()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.said[name]; l != nil {
		if now.Sub(l.at) < cmp.Or(h.Again, time.Minute) {
			l.left++
			return 0, false
		}
		left = l.left
	}
	if h.said == nil || len(h.said) >= most {
		h.said = map[string]*line{}
	}
	h.said[name] = &line{at: now}
	return left, true
}
