package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// unknownTime is the pause when Redis does not say whether there is one.
const unknownTime = time.Second

// Pass says whether a request may be made.
type Pass struct {
	// Until is when to ask again, Why the reason for people; zero: it may be made now.
	Until time.Time
	Why   string
	// Unknown: Redis did not say whether there is a pause.
	Unknown bool
	// Probe names the request if everything else is stopped: call Well or Stop with
	// its answer, or give the probe back with Release.
	Probe string
}

// Pass reports whether a request that belongs to the buckets may be made now. It asks
// Redis at most every 100 ms, less often with many keys, and only while it is called.
// When Redis does not answer, a request could not be recorded: then the key is paused
// for a second. bound is how long the answer to a probe may take.
func (l *Limiter) Pass(ctx context.Context, k Key, buckets []string, bound time.Duration) Pass {
	e, err := l.refresh(ctx, k)
	now, st := l.now(), e.copy.get()
	pause := st.pausedUntil(now, buckets)
	switch {
	case pause.Until.After(now):
		return Pass{Until: pause.Until, Why: pause.Reason}
	case err != nil:
		return Pass{Until: now.Add(unknownTime), Why: err.Error(), Unknown: true}
	case st.Stop != nil:
		return l.askProbe(ctx, k, e, bound, st.Stop.Reason)
	}
	return Pass{}
}

// askProbe asks to be the one request that a stop lets through. One goroutine of a
// worker asks Redis; the others use its answer.
func (l *Limiter) askProbe(ctx context.Context, k Key, e *entry, bound time.Duration, reason string) Pass {
	if err := e.copy.asking.Acquire(ctx, 1); err != nil {
		return Pass{Until: l.now().Add(unknownTime), Why: fmt.Sprintf("wait for a probe: %v", err)}
	}
	defer e.copy.asking.Release(1)
	now := l.now()
	if p, ok := e.copy.probeRefusal(now); ok {
		return p
	}
	name := rand.Text()
	reply, err := probeScript.Call().
		Key("stop", k.stop()).
		Arg("probe", name).
		Arg("bound", max(bound, time.Second).Milliseconds()).
		Arg("first", probeAgain.Milliseconds()).
		Arg("slow", slowAgain.Milliseconds()).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Int64Slice()
	switch {
	case err != nil || len(reply) != 2:
		return Pass{Until: now.Add(unknownTime), Why: fmt.Sprintf("ask for a probe: %v", err)}
	case reply[1] == 1:
		return Pass{Probe: name}
	case reply[0] == 0: // the stop has ended
		e.copy.outdate()
		return Pass{}
	}
	return e.copy.refuseProbes(now, time.Duration(reply[0])*time.Millisecond, reason)
}
