package coord

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

// LeadershipLife is how long the leadership of a killed worker outlives it. Others
// ask for it every third of that, so the work continues elsewhere within 15 s.
const LeadershipLife = 10 * time.Second

// Leadership has one of many workers do something. It is for one goroutine.
type Leadership struct {
	Redis redis.UniversalClient
	// Key is a string that exists in Redis while some worker is the leader.
	Key string
	// Life is how long it is valid without being renewed; 0: LeadershipLife.
	Life time.Duration
}

func (l *Leadership) life() time.Duration {
	if l.Life > 0 {
		return l.Life
	}
	return LeadershipLife
}

// Run calls do whenever this worker is the leader and wanted returns true, until
// ctx ends; then it returns after do has. The context of do ends when the
// leadership is lost. Redis is not asked while wanted returns false; a fault of
// Redis is handled as if another worker were the leader.
func (l *Leadership) Run(ctx context.Context, wanted func() bool, do func(context.Context)) {
	me := rand.Text()
	for ctx.Err() == nil {
		if wanted() && l.take(ctx, me) {
			l.lead(ctx, me, do)
			if ctx.Err() != nil || !wanted() {
				continue
			}
		}
		Sleep(ctx, l.life()/3)
	}
}

func (l *Leadership) take(ctx context.Context, me string) bool {
	mine, err := Take(ctx, l.Redis, l.Key, me, l.life())
	return err == nil && mine
}

// lead calls do, and renews the leadership meanwhile.
func (l *Leadership) lead(ctx context.Context, me string, do func(context.Context)) {
	leading, lose := context.WithCancel(ctx)
	defer lose()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.renew(leading, me)
		lose()
	}()
	do(leading)
	lose()
	<-done
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = Release(last, l.Redis, l.Key, me) // else it ends by itself
}

// renew returns when the leadership is lost or may be lost, or ctx ends.
func (l *Leadership) renew(ctx context.Context, me string) {
	until := time.Now().Add(l.life())
	for ctx.Err() == nil && time.Now().Before(until) {
		Sleep(ctx, l.life()/3)
		asked := time.Now()
		limit, cancel := context.WithDeadline(ctx, until)
		n, err := renewScript.Call().Key("key", l.Key).Arg("me", me).Arg("life", l.life().Milliseconds()).Run(limit, l.Redis).Int()
		cancel()
		switch {
		case err == nil && n == 0:
			return
		case err == nil:
			until = asked.Add(l.life())
		}
	}
}
