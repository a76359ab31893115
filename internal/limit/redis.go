package limit

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/push/lua"
)

//go:embed *.lua
var scripts embed.FS

var (
	blockScript   = lua.Load(scripts, "block.lua")
	placeScript   = lua.Load(scripts, "place.lua")
	idleScript    = lua.Load(scripts, "idle.lua")
	stopScript    = lua.Load(scripts, "stop.lua")
	probeScript   = lua.Load(scripts, "probe.lua")
	wellScript    = lua.Load(scripts, "well.lua")
	releaseScript = lua.Load(scripts, "release.lua")
	pauseScript   = lua.Load(scripts, "pause.lua")
	resumeScript  = lua.Load(scripts, "resume.lua")
	parkScript    = lua.Load(scripts, "park.lua")
	parkedScript  = lua.Load(scripts, "parked.lua")
	unparkScript  = lua.Load(scripts, "unpark.lua")
	stateScript   = lua.Load(scripts, "state.lua")
)

// keepTime is how long Redis remembers the rate of a key that is not in use.
const keepTime = 10 * time.Minute

// request is one call of block.lua.
type request struct {
	take, back    int
	high, success bool
}

// takeBlock asks Redis for permits: wait is 0 when they were granted.
func (l *Limiter) takeBlock(ctx context.Context, k Key, lim Limit, r request) (wait time.Duration, factor float64, err error) {
	reply, err := blockScript.Call().
		Key("rate", k.rate()).
		Arg("permits", lim.Rate).
		Arg("burst", max(lim.Burst, 1)).
		Arg("take", r.take).
		Arg("back", r.back).
		Arg("high", r.high).
		Arg("succeeded", r.success).
		Arg("pace", pace).
		Arg("credit", credit).
		Arg("yield", yield).
		Arg("climb", climb).
		Arg("keep", keepTime.Milliseconds()).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).StringSlice()
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

// place asks Redis for the time of a request.
func (l *Limiter) place(ctx context.Context, k Key, lim Limit, w Waiting) (wait time.Duration, err error) {
	text, err := placeScript.Call().
		Key("rate", k.rate()).
		Arg("permits", lim.Rate).
		Arg("class", w.Class).
		Arg("needs", w.Permits).
		Arg("before", w.Ahead).
		Arg("late", w.Late).
		Arg("pace", pace).
		Arg("keep", keepTime.Milliseconds()).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Text()
	if err != nil {
		return 0, err
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the script answered a wait of %q", text)
	}
	return min(time.Duration(us)*time.Microsecond, maxPause), nil
}

// scriptNow is the time that scripts use, in µs; "": they ask Redis. They ask Redis
// because the workers' clocks may be seconds apart, and with two clocks the worker whose
// clock is ahead would get the other one's permits.
func (l *Limiter) scriptNow() string {
	if l.redisNow == nil {
		return ""
	}
	return strconv.FormatInt(l.redisNow(), 10)
}
