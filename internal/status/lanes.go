package status

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Lane is a vendor's queue of one priority.
type Lane struct {
	Lane     string `json:"lane"`
	Vendor   string `json:"vendor"`
	Priority string `json:"priority"`
	// Waiting is the number of queued tasks. Later of them are not due yet.
	Waiting  int `json:"waiting"`
	Later    int `json:"later"`
	InFlight int `json:"in_flight"`
	// Oldest is how long, in seconds, the oldest due task has waited; 0: no task
	// is due.
	Oldest float64 `json:"oldest_seconds"`
	// PausedInUI: an operator paused the whole lane in asynq's UI.
	PausedInUI bool `json:"held"`
	// Apps are the apps that the configuration has at the vendor, by name.
	Apps []App `json:"apps"`
}

// App is the state of an app at a vendor. It is the same in all lanes of that vendor.
type App struct {
	App string `json:"app"`
	// Rate is the limit in Unit a second, Effective the rate that slow-downs have
	// left; 0: no limit. Factor is Effective/Rate, above 0 and at most 1.
	Rate      float64 `json:"rate"`
	Effective float64 `json:"effective_rate"`
	Factor    float64 `json:"-"`
	Unit      string  `json:"unit"`
	Pauses    []Pause `json:"paused"`
	// Parked are at most 1,000 of the parked jobs; AllParked is how many there are.
	Parked    []Parked `json:"parked"`
	AllParked int      `json:"parked_jobs"`
}

// Parked is a job that got a configuration error which concerns only this job.
// Nothing of it is sent before Until; then a probe shows whether it may go on.
type Parked struct {
	Job   string    `json:"job"`
	Code  string    `json:"code"`
	Until time.Time `json:"until"`
}

// Pause is a quota's pause or a stop: the reason why requests of an app wait.
type Pause struct {
	// Bucket is the quota that is used up; "" is everything.
	Bucket string `json:"bucket"`
	// Kind is quota, or the kind of the stop: slow-down, circuit or config.
	Kind string `json:"kind"`
	// State is paused until Until. After that a stop is probe-due or probing, until
	// a probe succeeds.
	State string    `json:"state"`
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	// Failed is how many probes of a stop failed.
	Failed int `json:"failed_probes"`
}

// The states of a Pause.
const (
	Paused   = "paused"
	ProbeDue = "probe-due"
	Probing  = "probing"
)

// quotaKind is the Kind of a pause that is not a stop.
const quotaKind = "quota"

// IsStop reports whether everything waits until a probe succeeds.
func (p Pause) IsStop() bool { return p.Kind != quotaKind }

// LaneReader reads lanes. It changes nothing.
type LaneReader struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Lanes reads every lane of the accounts' vendors, and other lanes that have
// tasks, by vendor and priority.
func (r *LaneReader) Lanes(ctx context.Context, accounts []*account.Account) ([]Lane, error) {
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
			add(a.Spec.Name, string(p))
		}
	}
	for _, c := range counts {
		l := add(wire.SplitLane(c.Lane))
		l.Waiting, l.Later, l.InFlight, l.PausedInUI = c.Pending+c.Later, c.Later, c.InFlight, c.Paused
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

// Apps reads the state of each account, by vendor and then by app.
func (r *LaneReader) Apps(ctx context.Context, accounts []*account.Account) (map[string][]App, error) {
	limiter := limit.Limiter{Redis: r.Redis, Now: r.Now}
	now := time.Now()
	if r.Now != nil {
		now = r.Now()
	}
	apps := map[string][]App{}
	for _, a := range accounts {
		st, err := limiter.State(ctx, limit.Key{App: a.App, Vendor: a.Spec.Name})
		if err != nil {
			return nil, err
		}
		apps[a.Spec.Name] = append(apps[a.Spec.Name], App{
			App: a.App, Rate: a.Rate, Effective: a.Rate * st.Factor, Factor: st.Factor, Unit: string(a.Spec.Unit), Pauses: pauses(st, now),
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

// pauses are the reasons why an account waits, the stop first.
func pauses(st limit.State, now time.Time) []Pause {
	all := []Pause{}
	if s := st.Stop; s != nil {
		h := Pause{Kind: string(s.Kind), State: Paused, Until: s.Until, Why: s.Reason, Failed: s.Failed}
		switch {
		case s.Probing.After(now):
			h.State = Probing
		case !s.Until.After(now):
			h.State = ProbeDue
		}
		all = append(all, h)
	}
	for _, p := range st.Pauses {
		all = append(all, Pause{Bucket: p.Bucket, Kind: quotaKind, State: Paused, Until: p.Until, Why: p.Reason})
	}
	return all
}
