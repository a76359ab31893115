package coord

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultLife is how long a lease outlives a worker that was killed. Others ask
// for it every third of that, so the work goes on elsewhere within 15 s.
const LeadershipLife = 10 * time.Second

// Lease is the right to be the one. It is for one goroutine.
type Leadership struct {
	Redis redis.UniversalClient
	// Key is a string that lies in Redis while some worker has the lease.
	Key string
	// Life is how long it is valid without being renewed; 0: DefaultLife.
	Life time.Duration
}

// renewScript renews a lease that is still ours.
//
//	KEYS: lease
//	ARGV: who we are, life (ms)
//	Returns 1, or 0 if it is not ours.
var renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

// releaseScript gives a lease back that is still ours.
//
//	KEYS: lease
//	ARGV: who we are
var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)

func (l *Leadership) life() time.Duration {
	if l.Life > 0 {
		return l.Life
	}
	return LeadershipLife
}

// Run does something whenever this worker has the lease and wants it, until ctx
// ends; then it returns once do has. The context of do ends when the lease is
// lost. Nothing is asked of Redis while wanted answers false; faults of Redis
// are as if another worker had the lease.
func (l *Leadership) Run(ctx context.Context, wanted func() bool, do func(context.Context)) {
	me := rand.Text()
	for ctx.Err() == nil {
		if wanted() && l.take(ctx, me) {
			l.hold(ctx, me, do)
			if ctx.Err() != nil || !wanted() {
				continue
			}
		}
		waitFor(ctx, l.life()/3)
	}
}

func (l *Leadership) take(ctx context.Context, me string) bool {
	mine, err := Take(ctx, l.Redis, l.Key, me, l.life())
	return err == nil && mine
}

// hold does it, and renews the lease meanwhile.
func (l *Leadership) hold(ctx context.Context, me string, do func(context.Context)) {
	held, lose := context.WithCancel(ctx)
	defer lose()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.renew(held, me)
		lose()
	}()
	do(held)
	lose()
	<-done
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = releaseScript.Run(last, l.Redis, []string{l.Key}, me).Err() // else it ends by itself
}

// renew returns when the lease is lost, or may be, or ctx ends.
func (l *Leadership) renew(ctx context.Context, me string) {
	until := time.Now().Add(l.life())
	for ctx.Err() == nil && time.Now().Before(until) {
		waitFor(ctx, l.life()/3)
		asked := time.Now()
		limit, cancel := context.WithDeadline(ctx, until)
		n, err := renewScript.Run(limit, l.Redis, []string{l.Key}, me, l.life().Milliseconds()).Int()
		cancel()
		switch {
		case err == nil && n == 0:
			return
		case err == nil:
			until = asked.Add(l.life())
		}
	}
}

func waitFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
