package simulator

import (
	"net/http"
	"sync"
)

// openQuery finds the app of a request to the feedback API.
func (o *oppoPlayer) openQuery(c *call) { o.openForm(c) }

// feedback hands the invalid ids out, each once.
type feedback struct {
	mu      sync.Mutex
	pending []string
}

const oppoMostFeedback = 500

// invalid tells ids that died, up to 500, and forgets them.
func (o *oppoPlayer) invalid(c *call) answer {
	if code := o.query(c); code != "" {
		return o.envelope(c, code)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n, total := min(len(o.pending), oppoMostFeedback), len(o.pending)
	ids := append([]string{}, o.pending[:n]...)
	o.pending = o.pending[n:]
	return o.say("0", "success", map[string]any{"registration_ids": ids, "totalCount": total})
}

func (o *oppoPlayer) invalidDone(*call) answer {
	return o.say("0", "success", map[string]any{"registration_ids": []string{}, "totalCount": 0})
}

// permit tells what is left of the day's messages.
func (o *oppoPlayer) permit(c *call) answer {
	if code := o.query(c); code != "" {
		return o.envelope(c, code)
	}
	used, total := o.day.of(c.app+" messages", c.now), o.DayMessages
	if total == 0 {
		total = 100000
	}
	return o.say("0", "success", map[string]any{"total_count": total, "push_count": used, "remain_count": max(total-used, 0)})
}

// query checks a request to the feedback API, which has its token in a header
// or in the URL.
func (o *oppoPlayer) query(c *call) string {
	if c.r.Method != http.MethodGet {
		c.violate("method is " + c.r.Method + ", not GET")
		return "12"
	}
	return o.authorize(c, c.r.URL.Query().Get("auth_token"))
}
