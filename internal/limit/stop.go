package limit

import (
	"context"
	"fmt"
	"time"
)

// Kind is why a key is stopped.
type Kind string

// The kinds.
const (
	TooFast       Kind = "slow-down" // the vendor says so; the rate is halved, too
	Unreachable   Kind = "circuit"   // no answers, several in a row
	Misconfigured Kind = "config"    // an operator has to act
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{TooFast, Unreachable, Misconfigured} }

// rule is how long a kind of stop waits for its probes.
type rule struct {
	first, longest time.Duration // doubled by each probe that fails
	faults         int           // so many failures in a row stop; 0: the first one
	grave, slower  bool
}

var rules = map[Kind]rule{
	TooFast:       {first: time.Second, longest: 15 * time.Second, slower: true},
	Unreachable:   {first: time.Second, longest: 15 * time.Second, faults: 10},
	Misconfigured: {first: time.Minute, longest: 30 * time.Minute, grave: true},
}

const (
	// keepStop is how long a stop is remembered after its pause, if there is no probe.
	keepStop = 24 * time.Hour
	// calmTime without a stop ends a row of them.
	calmTime = 10 * time.Second
	// probeAgain is when requests that wait for a probe ask again, slowAgain the same once
	// its answer takes more than a second.
	probeAgain = 100 * time.Millisecond
	slowAgain  = 2 * time.Second
)

// Halt is a reason to stop.
type Halt struct {
	Kind       Kind
	RetryAfter time.Duration // what the vendor asked to wait; 0: nothing
	Reason     string        // for people; must hold no token or secret
	Probe      string        // of the request that failed, if it was one
}

// Stop stops everything of the key for all workers: it pauses, and then one
// request after another, with growing pauses between them, is let through as a
// probe until Well says that one succeeded. The pauses are 1 s to 15 s, or a
// minute to half an hour for Misconfigured, or RetryAfter. Unreachable stops with
// the tenth failure in a row; a call of Well ends the row. TooFast halves the rate,
// down to a 64th, from which it climbs back by a 64th for every second in which
// requests succeed, or by an eighth if it was an outage.
//
// While it is stopped only the probe's failure counts: other failures answer
// requests that were sent before, and can only prolong the pause by their RetryAfter
// or, if they are Misconfigured, replace another kind.
//
// It returns the end of the pause, zero if nothing is stopped, and whether that
// is news.
func (l *Limiter) Stop(ctx context.Context, k Key, h Halt) (until time.Time, news bool, err error) {
	now, r := l.now(), rules[h.Kind]
	reply, err := stopScript.Call().
		Key("rate", k.rate()).
		Key("stop", k.stop()).
		Arg("kind", string(h.Kind)).
		Arg("grave", r.grave).
		Arg("needed", r.faults).
		Arg("retry_after", min(max(h.RetryAfter, 0), maxPause).Milliseconds()).
		Arg("shortest", r.first.Milliseconds()).
		Arg("longest", r.longest.Milliseconds()).
		Arg("slower", r.slower).
		Arg("smallest", smallest).
		Arg("probe", h.Probe).
		Arg("reason", h.Reason).
		Arg("keep", keepStop.Milliseconds()).
		Arg("calm_after", calmTime.Milliseconds()).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Int64Slice()
	e := l.entry(k)
	e.copy.failed()
	if err != nil {
		return time.Time{}, false, fmt.Errorf("stop: %w", err)
	}
	if len(reply) != 2 {
		return time.Time{}, false, fmt.Errorf("stop: the script answered %d values, want 2", len(reply))
	}
	if reply[0] == 0 {
		return time.Time{}, false, nil
	}
	e.permits.pause(now.Add(maxPause))
	return now.Add(time.Duration(reply[0]) * time.Millisecond), reply[1] == 1, nil
}

// Well reports that the vendor answered a request well, and reports whether that ended a
// stop. It makes no call unless the request was a probe, or others had failed.
func (l *Limiter) Well(ctx context.Context, k Key, probe string) (ended bool, err error) {
	e := l.entry(k)
	if probe == "" && !e.copy.mayStop() {
		return false, nil
	}
	ended, err = wellScript.Call().
		Key("rate", k.rate()).Key("stop", k.stop()).Key("codes", k.codes()).
		Arg("probe", probe).Arg("climb", quickClimb).Arg("keep", calmTime.Milliseconds()).Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Bool()
	e.copy.outdate()
	if err != nil {
		return false, fmt.Errorf("end a stop: %w", err)
	}
	return ended, nil
}

// Release gives a probe back that had no answer: another request may be the
// probe at once. It does nothing after Well or Stop was called for the probe.
func (l *Limiter) Release(ctx context.Context, k Key, probe string) error {
	err := releaseScript.Call().Key("stop", k.stop()).Arg("probe", probe).Run(ctx, l.Redis).Err()
	l.entry(k).copy.outdate()
	if err != nil {
		return fmt.Errorf("release a probe: %w", err)
	}
	return nil
}
