package oppo

import (
	"net/http"
	"sync"

	"github.com/postrider/postrider/internal/simulator/play"
)

// openQuery finds the app of a request to the feedback API.
func (o *player) openQuery(c *play.Call) { o.openForm(c) }

// feedback holds invalid ids. Each is returned once.
type feedback struct {
	mu      sync.Mutex
	pending []string
}

// maxFeedback is how many ids one answer holds.
const maxFeedback = 500

// invalid returns invalid ids and forgets them.
func (o *player) invalid(c *play.Call) play.Answer {
	if code := o.query(c); code != "" {
		return o.envelope(c, code)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n, total := min(len(o.pending), maxFeedback), len(o.pending)
	ids := append([]string{}, o.pending[:n]...)
	o.pending = o.pending[n:]
	return o.say("0", "success", map[string]any{"registration_ids": ids, "totalCount": total})
}

func (o *player) invalidDone(*play.Call) play.Answer {
	return o.say("0", "success", map[string]any{"registration_ids": []string{}, "totalCount": 0})
}

// permit returns how many messages the app may still send on this day.
func (o *player) permit(c *play.Call) play.Answer {
	if code := o.query(c); code != "" {
		return o.envelope(c, code)
	}
	used, total := o.day.Used(c.App+" messages", c.Now), o.DayMessages
	if total == 0 {
		total = 100000
	}
	return o.say("0", "success", map[string]any{"total_count": total, "push_count": used, "remain_count": max(total-used, 0)})
}

// query checks a request to the feedback API, whose access token is in a header or
// in the URL.
func (o *player) query(c *play.Call) string {
	if !c.HasMethod(http.MethodGet) {
		return "12"
	}
	return o.authorize(c, c.Request.URL.Query().Get("auth_token"))
}
