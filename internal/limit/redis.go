package limit

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lease.lua
var leaseSource string

//go:embed place.lua
var placeSource string

//go:embed idle.lua
var idleSource string

//go:embed stop.lua
var stopSource string

//go:embed probe.lua
var probeSource string

//go:embed well.lua
var wellSource string

//go:embed release.lua
var releaseSource string

//go:embed pause.lua
var pauseSource string

//go:embed resume.lua
var resumeSource string

//go:embed park.lua
var parkSource string

//go:embed parked.lua
var parkedSource string

//go:embed unpark.lua
var unparkSource string

//go:embed state.lua
var stateSource string

var (
	leaseScript   = redis.NewScript(leaseSource)
	placeScript   = redis.NewScript(placeSource)
	idleScript    = redis.NewScript(idleSource)
	stopScript    = redis.NewScript(stopSource)
	probeScript   = redis.NewScript(probeSource)
	wellScript    = redis.NewScript(wellSource)
	releaseScript = redis.NewScript(releaseSource)
	pauseScript   = redis.NewScript(pauseSource)
	resumeScript  = redis.NewScript(resumeSource)
	parkScript    = redis.NewScript(parkSource)
	parkedScript  = redis.NewScript(parkedSource)
	unparkScript  = redis.NewScript(unparkSource)
	stateScript   = redis.NewScript(stateSource)
)

// keepTime is how long Redis remembers the rate of a key that nobody uses.
const keepTime = 10 * time.Minute

// request is one call of lease.lua.
type request struct {
	take, back    int
	high, success bool
}

// lease asks Redis for permits: wait is 0 when they were granted.
func (l *Limiter) lease(ctx context.Context, k Key, lim Limit, r request) (wait time.Duration, factor float64, err error) {
	reply, err := leaseScript.Run(ctx, l.Redis, []string{k.rate()},
		lim.Rate, max(lim.Burst, 1), r.take, r.back, flag(r.high), flag(r.success),
		pace, credit, yield, climb, keepTime.Milliseconds(), l.scriptNow(),
	).StringSlice()
	if err != nil {
		return 0, 0, err
	}
	if len(reply) != 2 {
		return 0, 0, fmt.Errorf("the script answered %d values, want 2", len(reply))
	}
	us, err := strconv.ParseInt(reply[0], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("the script answered a wait of %q", reply[0])
	}
	if factor, err = strconv.ParseFloat(reply[1], 64); err != nil {
		return 0, 0, fmt.Errorf("the script answered a factor of %q", reply[1])
	}
	return time.Duration(us) * time.Microsecond, factor, nil
}

// place asks Redis for a time for a request.
func (l *Limiter) place(ctx context.Context, k Key, lim Limit, w Waiting) (wait time.Duration, err error) {
	text, err := placeScript.Run(ctx, l.Redis, []string{k.rate()},
		lim.Rate, w.Class, w.Permits, w.Ahead, flag(w.Late), pace, keepTime.Milliseconds(), l.scriptNow()).Text()
	if err != nil {
		return 0, err
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the script answered a wait of %q", text)
	}
	return min(time.Duration(us)*time.Microsecond, maxPause), nil
}

// scriptNow is the time that scripts go by, in µs; "" has them ask Redis. They
// ask Redis because the workers' clocks may be seconds apart, and a limiter fed
// with two clocks would take the faster one's permits from the slower one.
func (l *Limiter) scriptNow() string {
	if l.redisNow == nil {
		return ""
	}
	return strconv.FormatInt(l.redisNow(), 10)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
