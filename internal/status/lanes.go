package status

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Account is one app at one vendor, as the configuration has it.
type Account struct {
	App, Vendor string
	Rate        float64 // of Unit a second; 0: no limit
	Unit        string  // tokens, requests or messages
}

// Lane is one queue: a vendor's tasks of one priority.
type Lane struct {
	Lane     string `json:"lane"`
	Vendor   string `json:"vendor"`
	Priority string `json:"priority"`
	// Waiting is tasks to be worked: those that wait for their time are Later of them.
	Waiting  int `json:"waiting"`
	Later    int `json:"later"`
	InFlight int `json:"in_flight"`
	// Oldest is how long, in seconds, the oldest task that could be worked now
	// has waited for that; 0: there is none.
	Oldest float64 `json:"oldest_seconds"`
	// Held: an operator paused the whole lane in asynq's UI.
	Held bool `json:"held"`
	// Apps are those that the configuration has at the vendor, by name.
	Apps []App `json:"apps"`
}

// App is an app's state at a vendor; it is the same in all lanes of that vendor.
type App struct {
	App string `json:"app"`
	// Rate is the limit in Unit a second, Effective what slow-downs have left of
	// it; 0: no limit. Factor is the part that is left, over 0 up to 1.
	Rate      float64 `json:"rate"`
	Effective float64 `json:"effective_rate"`
	Factor    float64 `json:"-"`
	Unit      string  `json:"unit"`
	Holds     []Hold  `json:"paused"`
	// Parked are jobs that wait by themselves, at most 1,000; AllParked is how many there are.
	Parked    []Parked `json:"parked"`
	AllParked int      `json:"parked_jobs"`
}

// Parked is a job of which nothing is sent before Until, since it got a
// configuration error of its own. Then one request shows whether it goes on.
type Parked struct {
	Job   string    `json:"job"`
	Code  string    `json:"code"`
	Until time.Time `json:"until"`
}

// Hold is something for which requests of an app wait.
type Hold struct {
	// Bucket is the quota that is used up; "" is everything.
	Bucket string `json:"bucket"`
	// Kind is quota, or why everything is stopped: slow-down, circuit or config.
	Kind string `json:"kind"`
	// State is paused until Until, or then probe-due or probing for a stop that
	// ends when one request was answered well.
	State string    `json:"state"`
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	// Failed is how many probes of a stop failed.
	Failed int `json:"failed_probes"`
}

// The states of a Hold.
const (
	Paused   = "paused"
	ProbeDue = "probe-due"
	Probing  = "probing"
)

// quotaKind is the Kind of holds that are no stop.
const quotaKind = "quota"

// Stop tells whether the hold stops everything until a probe was well.
func (h Hold) Stop() bool { return h.Kind != quotaKind }

// Reader reads lanes.
type LaneReader struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Lanes reads every lane of the accounts' vendors, and others that have tasks,
// by vendor and priority.
func (r *LaneReader) Lanes(ctx context.Context, accounts []Account) ([]Lane, error) {
	counts, err := queue.Counts(ctx, r.Redis)
	if err != nil {
		return nil, err
	}
	apps, err := r.Apps(ctx, accounts)
	if err != nil {
		return nil, err
	}
	byName := map[string]*Lane{}
	add := func(vendor, priority string) *Lane {
		name := wire.Lane(vendor, priority)
		if byName[name] == nil {
			byName[name] = &Lane{Lane: name, Vendor: vendor, Priority: priority, Apps: apps[vendor]}
		}
		return byName[name]
	}
	for _, a := range accounts {
		for _, p := range push.Priorities() {
			add(a.Vendor, string(p))
		}
	}
	for _, c := range counts {
		l := add(wire.SplitLane(c.Lane))
		l.Waiting, l.Later, l.InFlight, l.Held = c.Pending+c.Later, c.Later, c.InFlight, c.Held
		l.Oldest = c.Oldest.Round(time.Millisecond).Seconds()
	}
	return sorted(byName), nil
}

func sorted(byName map[string]*Lane) []Lane {
	all := make([]Lane, 0, len(byName))
	for _, l := range byName {
		if l.Apps == nil {
			l.Apps = []App{}
		}
		all = append(all, *l)
	}
	rank := func(l Lane) int { return slices.Index(push.Priorities(), push.Priority(l.Priority)) }
	slices.SortFunc(all, func(a, b Lane) int {
		return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Lane, b.Lane))
	})
	return all
}

// Apps reads how each account stands, by vendor and then by app.
func (r *LaneReader) Apps(ctx context.Context, accounts []Account) (map[string][]App, error) {
	limiter := limit.Limiter{Redis: r.Redis, Now: r.Now}
	now := time.Now()
	if r.Now != nil {
		now = r.Now()
	}
	apps := map[string][]App{}
	for _, a := range accounts {
		st, err := limiter.State(ctx, limit.Key{App: a.App, Vendor: a.Vendor})
		if err != nil {
			return nil, err
		}
		apps[a.Vendor] = append(apps[a.Vendor], App{
			App: a.App, Rate: a.Rate, Effective: a.Rate * st.Factor, Factor: st.Factor, Unit: a.Unit, Holds: holds(st, now),
			Parked: parked(st), AllParked: st.AllParked,
		})
	}
	for _, list := range apps {
		slices.SortFunc(list, func(a, b App) int { return cmp.Compare(a.App, b.App) })
	}
	return apps, nil
}

func parked(st limit.State) []Parked {
	all := make([]Parked, len(st.Parked))
	for i, p := range st.Parked {
		all[i] = Parked{Job: p.Job, Code: p.Code, Until: p.Until}
	}
	return all
}

// holds are what holds an account up, the stop first.
func holds(st limit.State, now time.Time) []Hold {
	all := []Hold{}
	if s := st.Stop; s != nil {
		h := Hold{Kind: string(s.Kind), State: Paused, Until: s.Until, Why: s.Reason, Failed: s.Failed}
		switch {
		case s.Probing.After(now):
			h.State = Probing
		case !s.Until.After(now):
			h.State = ProbeDue
		}
		all = append(all, h)
	}
	for _, p := range st.Pauses {
		all = append(all, Hold{Bucket: p.Bucket, Kind: quotaKind, State: Paused, Until: p.Until, Why: p.Reason})
	}
	return all
}
