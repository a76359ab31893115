package limit

import (
	"context"
	"fmt"
	"time"
)

// maxPause is far longer than any quota's window; it keeps arithmetic from overflowing.
const maxPause = 400 * 24 * time.Hour

// Pause says that nothing is to be sent before Until.
type Pause struct {
	Bucket string // the quota bucket; "" is everything of the app at the vendor
	Until  time.Time
	Reason string // for people
}

// Pause pauses a bucket, or everything of the key with bucket "", for all workers
// until the given time by this worker's clock. They see it within 100 ms, or within
// a second where they work for hundreds of keys. It never shortens a pause, and tells
// whether there was none as long as this; Resume ends one. reason is shown to people
// and must hold no token or secret.
func (l *Limiter) Pause(ctx context.Context, k Key, bucket string, until time.Time, reason string) (news bool, err error) {
	// Rounded up: a request must not come a moment before a quota's window.
	left := (min(until.Sub(l.now()), maxPause) + time.Millisecond - 1).Milliseconds()
	if left <= 0 {
		return false, nil
	}
	news, err = pauseScript.Call().
		Key("pauses", k.pause()).
		Arg("bucket", bucket).Arg("length", left).Arg("reason", reason).Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Bool()
	l.entry(k).copy.outdate()
	if err != nil {
		return false, fmt.Errorf("pause: %w", err)
	}
	return news, nil
}

// Resume ends the pause of a bucket for all workers, and reports whether there was
// one; "" is that of the whole key, its stop and its parked jobs, and leaves the
// pauses of buckets. A lowered rate stays lowered.
func (l *Limiter) Resume(ctx context.Context, k Key, bucket string) (was bool, err error) {
	ended, err := resumeScript.Call().
		Key("pauses", k.pause()).
		Key("rate", k.rate()).
		Key("stop", k.stop()).
		Key("jobs", k.jobs()).
		Key("forget", k.forget()).
		Key("codes", k.codes()).
		Arg("bucket", bucket).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Int()
	e := l.entry(k)
	e.copy.outdate()
	e.permits.resume()
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	return ended > 0, nil
}
