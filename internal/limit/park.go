package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

const (
	// firstPark is how long a job is parked at first; each probe that fails doubles
	// it, up to longestPark.
	firstPark, longestPark = time.Minute, 30 * time.Minute
	// keepPark is how long it is remembered that a job was parked, if there is no probe.
	keepPark = longestPark
	// rememberCode is how long the first job that got a code is remembered. Its own
	// probes renew that, so it is well over longestPark.
	rememberCode = time.Hour
	// parkedAgain is when a request asks again that finds a job's probe under way.
	parkedAgain = 5 * time.Second
	// localParked is how many parked jobs of a key a worker has a copy of. If more are
	// parked it asks Redis for each request.
	localParked = 256
)

// Job is a job of which a request had tokens.
type Job struct {
	ID      string
	Expires time.Time
}

// Parking is a reason to park jobs.
type Parking struct {
	Jobs       []Job // those whose tokens were in the request; at least one
	Code       string
	RetryAfter time.Duration // what the vendor asked to wait; 0: nothing
	// AboutApp: the code is about the whole app. Then it matters whether a second
	// job got it.
	AboutApp bool
	Probe    string // what Try returned for the request; "": it was no job's probe
}

// Parked is a job of which nothing is sent before Until. Then one request shows
// whether it goes on.
type Parked struct {
	Job    string
	Code   string // the one that it got
	Until  time.Time
	Failed int // probes that failed
	// Probing is until when the answer to a probe is awaited; zero: no probe is out.
	Probing time.Time
}

// Park parks jobs for all workers, which see it within 100 ms: for a minute, and
// twice as long after each probe that fails, up to half an hour. An answer to a
// request that was sent before the job was parked changes nothing.
//
// It returns until when the last of the jobs is parked, whether one of them was not
// parked before, and whether a second job got the code within an hour (or two of these
// jobs did), if the code is about the app.
func (l *Limiter) Park(ctx context.Context, k Key, p Parking) (until time.Time, news, second bool, err error) {
	now := l.now()
	c := parkScript.Call().
		Key("jobs", k.jobs()).
		Key("forget", k.forget()).
		Key("codes", k.codes()).
		Arg("code", p.Code).
		Arg("about_app", p.AboutApp).
		Arg("remember", rememberCode.Milliseconds()).
		Arg("retry_after", min(max(p.RetryAfter, 0), maxPause).Milliseconds()).
		Arg("shortest", firstPark.Milliseconds()).
		Arg("longest", longestPark.Milliseconds()).
		Arg("keep", keepPark.Milliseconds()).
		Arg("probe", p.Probe).
		Arg("now", l.scriptNow())
	for _, j := range p.Jobs {
		c.Row("job").Arg("id", j.ID).Arg("life", min(j.Expires.Sub(now), maxPause).Milliseconds())
	}
	reply, err := c.Run(ctx, l.Redis).Int64Slice()
	l.entry(k).copy.outdate()
	if err != nil {
		return time.Time{}, false, false, fmt.Errorf("park jobs: %w", err)
	}
	if len(reply) != 3 {
		return time.Time{}, false, false, fmt.Errorf("park jobs: the script answered %d values, want 3", len(reply))
	}
	return now.Add(time.Duration(reply[0]) * time.Millisecond), reply[2] > 0, reply[1] == 1, nil
}

// AnyParked reports whether any job is parked at the key. It asks Redis at most
// every 100 ms.
func (l *Limiter) AnyParked(ctx context.Context, k Key) (bool, error) {
	e, err := l.refresh(ctx, k)
	if err != nil {
		return false, err
	}
	return e.copy.get().AllParked > 0, nil
}

// Parked returns which of the jobs are parked, and until when. A time that is over
// means that a request for that job only may ask to be its probe, with Try. It
// asks Redis at most every 100 ms while few jobs are parked.
func (l *Limiter) Parked(ctx context.Context, k Key, jobs []string) (map[string]time.Time, error) {
	e, err := l.refresh(ctx, k)
	if err != nil {
		return nil, err
	}
	st := e.copy.get()
	if parked, ok := st.parkedOf(jobs); ok {
		return parked, nil
	}
	parked, _, err := l.askParked(ctx, k, jobs, "", 0)
	return parked, err
}

// Try asks whether a request with tokens of the jobs may be made now. The jobs in wait
// must not be in it, until the time given there. If other jobs of it were parked, the
// request is their probe, with the returned name, and all others wait for it: call Park
// or Unpark with its answer. bound is how long the answer may take. Like Parked it rarely
// asks Redis unless one of the jobs is parked.
func (l *Limiter) Try(ctx context.Context, k Key, jobs []string, bound time.Duration) (wait map[string]time.Time, probe string, err error) {
	parked, err := l.Parked(ctx, k, jobs)
	if err != nil || len(parked) == 0 {
		return nil, "", err
	}
	name := rand.Text()
	wait, due, err := l.askParked(ctx, k, jobs, name, bound)
	if due == 0 {
		name = ""
	}
	return wait, name, err
}

// askParked asks Redis. With a probe's name the jobs whose wait is over are left
// out of the answer, and counted.
func (l *Limiter) askParked(ctx context.Context, k Key, jobs []string, probe string, bound time.Duration) (parked map[string]time.Time, due int, err error) {
	c := parkedScript.Call().
		Key("jobs", k.jobs()).
		Key("forget", k.forget()).
		Arg("probe", probe).
		Arg("bound", max(bound, time.Second).Milliseconds()).
		Arg("again", parkedAgain.Milliseconds()).
		Arg("now", l.scriptNow())
	for _, j := range jobs {
		c.Row("job").Arg("id", j)
	}
	reply, err := c.Run(ctx, l.Redis).Int64Slice()
	if err != nil {
		return nil, 0, fmt.Errorf("look for parked jobs: %w", err)
	}
	if len(reply) != len(jobs) {
		return nil, 0, fmt.Errorf("look for parked jobs: the script answered %d values, want %d", len(reply), len(jobs))
	}
	now := l.now()
	parked = map[string]time.Time{}
	for i, ms := range reply {
		switch {
		case ms > 0:
			parked[jobs[i]] = now.Add(time.Duration(ms) * time.Millisecond)
		case ms < 0 && probe != "":
			due++
		case ms < 0:
			parked[jobs[i]] = now
		}
	}
	return parked, due, nil
}

// Unpark ends the parking of jobs after their probe: the vendor accepted it, or
// refused it for another reason. With well false the probe was not made, or its
// answer says nothing of the jobs: the next request may be the probe at once. If it
// was not the jobs' probe, or Park was called for it, nothing happens.
func (l *Limiter) Unpark(ctx context.Context, k Key, jobs []string, probe string, well bool) (ended bool, err error) {
	c := unparkScript.Call().Key("jobs", k.jobs()).Key("forget", k.forget()).Arg("probe", probe).Arg("well", well)
	for _, j := range jobs {
		c.Row("job").Arg("id", j)
	}
	n, err := c.Run(ctx, l.Redis).Int()
	l.entry(k).copy.outdate()
	if err != nil {
		return false, fmt.Errorf("end the parking of jobs: %w", err)
	}
	return well && n > 0, nil
}
