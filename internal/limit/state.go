package limit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stop is why nothing of a key is sent until a probe succeeded.
type Stop struct {
	Kind   Kind
	Since  time.Time
	Until  time.Time // when a probe may be made
	Reason string    // for people
	Failed int       // probes that failed
	// Probing is until when the answer to a probe is awaited; zero: no probe is out.
	Probing time.Time
}

// State is what Redis knows about a key, in this worker's time.
type State struct {
	Pauses []Pause // by bucket; those that have ended are left out
	Stop   *Stop   // nil: nothing is stopped
	Faults int     // requests in a row that failed and have not stopped it yet
	Factor float64 // the part of the rate, over 0 up to 1, that stops have left
	// Parked are jobs of which nothing is sent meanwhile, by id; AllParked is how
	// many there are, which may be more.
	Parked    []Parked
	AllParked int
}

const (
	// stateFields is how many values state.lua returns before parked jobs and pauses.
	stateFields = 11
	// namedParked is the most parked jobs that State names.
	namedParked = 1000
)

// State reads the key's pauses, its stop, its rate and its parked jobs from
// Redis. At most 1,000 parked jobs are named.
func (l *Limiter) State(ctx context.Context, k Key) (State, error) {
	return l.state(ctx, k, namedParked)
}

func (l *Limiter) state(ctx context.Context, k Key, named int) (State, error) {
	reply, err := stateScript.Call().
		Key("pauses", k.pause()).
		Key("stop", k.stop()).
		Key("rate", k.rate()).
		Key("jobs", k.jobs()).
		Key("forget", k.forget()).
		Arg("now", l.scriptNow()).
		Arg("most", named).
		Run(ctx, l.Redis).StringSlice()
	if err != nil {
		return State{}, fmt.Errorf("read pauses: %w", err)
	}
	// The time after the call, not before: if Redis is slow, a pause ends later here, never earlier.
	return parseState(reply, l.now()), nil
}

// parseState reads the answer of state.lua. It leaves out what has ended or cannot be
// read.
func parseState(reply []string, now time.Time) State {
	st := State{Factor: 1}
	if len(reply) < stateFields {
		return st
	}
	redisNow, _ := strconv.ParseInt(reply[0], 10, 64)
	if f, err := strconv.ParseFloat(reply[1], 64); err == nil && f > 0 && f <= 1 {
		st.Factor = f
	}
	here := func(us string) (time.Time, bool) { return local(us, redisNow, now) }
	if kind := Kind(reply[2]); kind != "" {
		st.Stop = &Stop{Kind: kind, Reason: reply[4]}
		st.Stop.Until, _ = here(reply[3])
		st.Stop.Failed, _ = strconv.Atoi(reply[5])
		st.Stop.Since, _ = here(reply[6])
		st.Stop.Probing, _ = here(reply[7])
	}
	st.Faults, _ = strconv.Atoi(reply[8])
	st.AllParked, _ = strconv.Atoi(reply[9])
	named, _ := strconv.Atoi(reply[10])
	rest := reply[stateFields:]
	split := min(max(2*named, 0), len(rest))
	for pair := range slices.Chunk(rest[:split], 2) {
		if p, ok := parseParked(pair, here, now); ok {
			st.Parked = append(st.Parked, p)
		}
	}
	slices.SortFunc(st.Parked, func(a, b Parked) int { return cmp.Compare(a.Job, b.Job) })
	for pair := range slices.Chunk(rest[split:], 2) {
		if len(pair) != 2 {
			break
		}
		end, reason, _ := strings.Cut(pair[1], " ")
		if until, ok := here(end); ok && until.After(now) {
			st.Pauses = append(st.Pauses, Pause{pair[0], until, reason})
		}
	}
	slices.SortFunc(st.Pauses, func(a, b Pause) int { return cmp.Compare(a.Bucket, b.Bucket) })
	return st
}

// local converts a time of Redis's clock into this worker's; false: it is no time.
func local(us string, redisNow int64, now time.Time) (time.Time, bool) {
	n, err := strconv.ParseInt(us, 10, 64)
	if err != nil || n < 0 || redisNow < 0 {
		return time.Time{}, false
	}
	left := n - redisNow // of two numbers from 0 up: it cannot overflow
	if left > maxPause.Microseconds() || left < -maxPause.Microseconds() {
		return time.Time{}, false
	}
	return now.Add(time.Duration(left) * time.Microsecond), true
}

// parseParked reads a job and its value, see park.lua.
func parseParked(pair []string, here func(us string) (time.Time, bool), now time.Time) (Parked, bool) {
	if len(pair) != 2 {
		return Parked{}, false
	}
	f := strings.SplitN(pair[1], " ", 5)
	if len(f) != 5 {
		return Parked{}, false
	}
	p := Parked{Job: pair[0], Code: f[4]}
	var ok bool
	if p.Until, ok = here(f[0]); !ok {
		return Parked{}, false
	}
	p.Failed, _ = strconv.Atoi(f[1])
	if out, ok := here(f[2]); ok && out.After(now) {
		p.Probing = out
	}
	return p, true
}
