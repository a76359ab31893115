package status

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Job is a job in the list.
type Job struct {
	Job      string `json:"job"`
	App      string `json:"app"`
	State    string `json:"state"` // running, done or canceled
	Accepted int    `json:"accepted"`
	Pending  int    `json:"pending"`
	// Created is when the job was enqueued; for a job of one token, when it could
	// first be sent; nil: not known. Ended is nil while the job is open.
	Created *time.Time `json:"created"`
	Ended   *time.Time `json:"ended"`
	// Stuck: tokens are pending, but there is no task that could send them.
	Stuck bool `json:"stuck"`
}

// JobFilter selects jobs.
type JobFilter struct {
	App   string // "": of every app
	State string // running, done or canceled; "": any
	Stuck bool   // only those that are stuck
	Limit int    // at most this many, the newest
}

func (f JobFilter) has(s ledger.Summary) bool {
	return (f.App == "" || s.App == f.App) && (f.State == "" || s.State == f.State)
}

// JobReader reads the list of jobs. It changes nothing.
type JobReader struct{ Redis redis.UniversalClient }

// List returns the selected jobs, newest first: open jobs, and ended jobs of more
// than one token. If a lane has more open jobs of one token than the limit, it
// reads those that expire last.
func (r *JobReader) List(ctx context.Context, f JobFilter) ([]Job, error) {
	l := &lister{JobReader: r, JobFilter: f, book: ledger.Store{Redis: r.Redis}, have: map[string]bool{}, open: queue.OpenReader{Redis: r.Redis}}
	lanes, err := l.open.Lanes(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.several(ctx, wire.JobsKey); err != nil {
		return nil, err
	}
	if f.State != wire.Running && !f.Stuck {
		if err := l.several(ctx, wire.EndedJobsKey); err != nil {
			return nil, err
		}
	}
	if f.State != wire.Done {
		for _, lane := range lanes {
			if err := l.singles(ctx, lane); err != nil {
				return nil, err
			}
		}
	}
	if err := l.checkStuck(ctx, lanes); err != nil {
		return nil, err
	}
	if f.Stuck {
		l.all = slices.DeleteFunc(l.all, func(j Job) bool { return !j.Stuck })
	}
	l.sort()
	return l.all[:min(len(l.all), max(0, f.Limit))], nil
}

// lister is the state of one List call.
type lister struct {
	*JobReader
	JobFilter
	book ledger.Store
	open queue.OpenReader
	all  []Job
	have map[string]bool
	// suspects are the jobs of more than one token that may be stuck, with their
	// index in all.
	suspects map[string]int
}

func (l *lister) sort() {
	at := func(t *time.Time) int64 {
		if t == nil {
			return 0
		}
		return t.UnixNano()
	}
	slices.SortStableFunc(l.all, func(a, b Job) int {
		return cmp.Or(-cmp.Compare(at(a.Created), at(b.Created)), cmp.Compare(a.Job, b.Job))
	})
}

// enough reports whether no more than n jobs of a list, newest first, can be
// shown. With Stuck all are read, since which are stuck is known only at the end.
func (l *lister) enough(n int) bool { return n >= l.Limit && !l.Stuck }

// several adds jobs of more than one token from one of the lists.
func (l *lister) several(ctx context.Context, key string) error {
	n := 0
	for first := int64(0); !l.enough(n); first += page {
		names, err := l.Redis.ZRevRange(ctx, key, first, first+page-1).Result()
		if err != nil || len(names) == 0 {
			return err
		}
		all, err := l.book.Summaries(ctx, names)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Known && !s.Single && l.has(s) && l.add(s, s.Created) {
				n++
			}
		}
	}
	return nil
}

// add adds a job that is not in the list yet.
func (l *lister) add(s ledger.Summary, created time.Time) bool {
	if l.have[s.Job] {
		return false
	}
	l.have[s.Job] = true
	j := Job{Job: s.Job, App: s.App, State: s.State, Accepted: s.Accepted, Pending: s.Pending, Created: optional(created), Ended: optional(s.Ended)}
	if !s.Single && s.Pending > 0 && !s.Enqueuing {
		if l.suspects == nil {
			l.suspects = map[string]int{}
		}
		l.suspects[s.Job] = len(l.all)
		j.Stuck = true // until checkStuck finds its task
	}
	l.all = append(l.all, j)
	return true
}

// optional is nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// singles adds the open jobs of one token of a lane.
func (l *lister) singles(ctx context.Context, lane string) error {
	n := 0
	for skip := int64(0); !l.enough(n); skip += page {
		work, err := l.open.Latest(ctx, lane, skip, page)
		if err != nil || len(work) == 0 {
			return err
		}
		var names []string
		of := map[string]queue.OpenWork{}
		for _, w := range work {
			if l.App != "" && w.App != l.App || l.Stuck && w.HasTask {
				continue
			}
			for _, job := range w.Jobs {
				if !l.have[job] {
					names, of[job] = append(names, job), w
				}
			}
		}
		for part := range slices.Chunk(names, page) {
			all, err := l.book.Summaries(ctx, part)
			if err != nil {
				return err
			}
			for _, s := range all {
				if s.Known && s.Single && s.Pending > 0 && l.has(s) && l.add(s, of[s.Job].Start) {
					l.all[len(l.all)-1].Stuck = !of[s.Job].HasTask
					n++
				}
			}
		}
	}
	return nil
}

// checkStuck determines which jobs of more than one token are stuck: those without
// any task. It reads all open work, but only if there are suspects.
func (l *lister) checkStuck(ctx context.Context, lanes []string) error {
	for _, lane := range lanes {
		if len(l.suspects) == 0 {
			return nil
		}
		err := l.open.Each(ctx, lane, func(work []queue.OpenWork) error {
			for _, w := range work {
				for _, job := range w.Jobs {
					if i, ok := l.suspects[job]; ok && w.HasTask {
						l.all[i].Stuck = false
						delete(l.suspects, job)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
