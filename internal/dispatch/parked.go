package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

// jobsOf are the jobs of the segments, each once.
func jobsOf(segments []segment) []Job {
	var all []Job
	seen := map[string]bool{}
	for i := range segments {
		e := segments[i].Entry
		if !seen[e.Job] {
			seen[e.Job] = true
			all = append(all, Job{ID: e.Job, Expires: time.UnixMilli(e.Expires)})
		}
	}
	return all
}

// jobIDs are the ids of the request's jobs, each once.
func (r *request) jobIDs() []string {
	all := jobsOf(r.batches.Segments())
	ids := make([]string, len(all))
	for i, j := range all {
		ids[i] = j.ID
	}
	return ids
}

// comeBackAt is when a chunk comes back for a parked job: not at the same moment
// as the job's other chunks, and no later than the job expires.
func comeBackAt(until, now time.Time, e *wire.Entry) time.Time {
	spread := time.Duration(float64(min(until.Sub(now)/8, longestSpread)) * jitter())
	return earlier(until.Add(spread), time.UnixMilli(e.Expires))
}

// leaveOutParked takes the jobs out of an admitted request that were parked since
// their chunks were loaded, and has the gate make it the probe of those whose
// wait is over. It returns false if nothing is left.
func (d *Dispatcher) leaveOutParked(ctx context.Context, r *request) bool {
	parked, err := d.Gate.Try(ctx, r.Account, &r.admission, r.jobIDs)
	switch {
	case err != nil:
		r.putBack(d.Now().Add(time.Second), err.Error())
		return false
	case len(parked) == 0:
		return true
	}
	now := d.Now()
	r.batches, _ = r.batches.Keep(func(s *segment) bool {
		until, waits := parked[s.Entry.Job]
		if waits {
			s.Owner.askGateAt(comeBackAt(until, now, s.Entry), reasonParked)
		}
		return !waits
	})
	return len(r.batches) > 0
}
