package accesstoken

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/vendors"
)

//go:embed *.lua
var scripts embed.FS

var (
	readScript   = lua.Load(scripts, "read.lua")
	keepScript   = lua.Load(scripts, "keep.lua")
	refuseScript = lua.Load(scripts, "refuse.lua")
)

// forgetRefusals is how long after the wait of a refusal the next one still counts as
// one in a row.
const forgetRefusals = 10 * time.Minute

// state is what Redis says about a slot.
type state struct {
	access   string // a valid token, or ""
	due      bool   // it should be renewed
	refused  *vendors.Error
	refusals int
}

// settled reports whether the vendor need not, or must not, be asked.
func (st state) settled() bool { return st.access != "" && !st.due || st.refused != nil }

// answer is a settled state's result for a caller.
func (st state) answer() (string, error) {
	if st.access != "" {
		return st.access, nil
	}
	return "", st.refused
}

// read reads the state from Redis, and updates the slot.
func (s *Store) read(ctx context.Context, sl *slot) (state, error) {
	now := s.now() // before Redis reads the time that is left, so it is never too long
	sl.postpone(now)
	reply, err := readScript.Call().Key("token", sl.key).Key("refusal", sl.refused).Key("refusals", sl.refusals).Run(ctx, s.Redis).Slice()
	if err != nil {
		return state{}, err
	}
	if len(reply) != 5 {
		return state{}, fmt.Errorf("the script answered %d values, want 5", len(reply))
	}
	var st state
	text := func(i int) string { v, _ := reply[i].(string); return v }
	left := func(i int) time.Duration { ms, _ := reply[i].(int64); return time.Duration(ms) * time.Millisecond }
	if t, ok := s.open(sl.key, text(0)); ok && left(1) > 0 {
		st.access, st.due = t.Access, sl.learn(t, now, left(1))
	} else {
		sl.forget("") // invalidated, expired or unreadable
	}
	if left(3) > 0 {
		st.refused = parseRefusal(text(2), left(3))
	}
	st.refusals, _ = strconv.Atoi(text(4)) // absent: 0
	return st, nil
}

// lock returns the name under which this caller holds the lock, or "" if another does.
func (s *Store) lock(ctx context.Context, sl *slot) (string, error) {
	name := rand.Text()
	got, err := coord.Take(ctx, s.Redis, sl.lock, name, lockTime)
	if err != nil || !got {
		return "", err
	}
	return name, nil
}

// unlock releases the lock. If that fails, the lock ends by itself.
func (s *Store) unlock(ctx context.Context, sl *slot, lock string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	_ = coord.Release(ctx, s.Redis, sl.lock, lock)
}

// keep stores a new token, whose lifetime began when it was asked for at start.
func (s *Store) keep(ctx context.Context, sl *slot, lock string, g vendors.Grant, start time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	t := token{Access: g.Access, LifetimeMS: g.Lifetime.Milliseconds()}
	now := s.now()
	left := g.Lifetime - now.Sub(start)
	if left < time.Millisecond {
		s.unlock(ctx, sl, lock)
		return s.live(sl, asRefusal(fmt.Errorf("the token's lifetime of %v was over before it arrived", g.Lifetime)))
	}
	sl.learn(t, now, left)
	value, err := s.seal(sl.key, t)
	if err != nil {
		s.unlock(ctx, sl, lock)
		return "", fmt.Errorf("encrypt access token: %w", err)
	}
	kept, err := keepScript.Call().
		Key("token", sl.key).Key("lock", sl.lock).Key("refusal", sl.refused).Key("refusals", sl.refusals).
		Arg("me", lock).Arg("value", value).Arg("left", left.Milliseconds()).
		Run(ctx, s.Redis).Int()
	if err != nil {
		return g.Access, nil // the token is valid; the next read of Redis fails the same way
	}
	if kept == 0 {
		// This process was frozen for so long that the lock ended. If another worker has
		// got a newer token since, ours may be void.
		if st, err := s.read(ctx, sl); err == nil && st.access != "" {
			return st.access, nil
		}
	}
	return g.Access, nil
}
