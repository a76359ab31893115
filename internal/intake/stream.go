package intake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// streamGroup is the consumer group that all workers share.
	streamGroup = "workers"
	// perRead is the most entries that are enqueued together.
	perRead = 500
	// readTime is how long a read waits for an entry: so long may Run take to end.
	readTime = time.Second
	// claimEvery is how often a worker looks for what another one left, and
	// claimIdle how long that must have lain.
	claimEvery = 5 * time.Second
	claimIdle  = 15 * time.Second
	// goneAfter is when a consumer without entries that has not been heard of is
	// taken off the list.
	goneAfter = time.Hour
	// finishTime bounds the work on what was read when Run is to end.
	finishTime = 10 * time.Second
)

// StreamMeter counts jobs that came by the stream.
type StreamMeter interface {
	Intake(enqueued, refused int)
}

// Stream enqueues jobs that programs of any language add to a Redis stream,
// each as JSON in the field "job". An entry is removed once its job is enqueued
// or refused; why a job was refused is told in a second stream.
type Stream struct {
	Redis redis.UniversalClient
	// Client is asked anew for every lot; it may change at any time.
	Client func() Enqueuer
	Meter  StreamMeter
	Log    zerolog.Logger
}

// given is one entry on its way.
type given struct {
	id     string
	job    push.Job
	err    error  // why it is refused
	name   string // the job's id, also of one that cannot be read
	queued bool
}

// Run enqueues what comes until ctx ends, together with other workers. It is
// safe against a crash at any moment: what a worker leaves behind is taken by
// another, and a job that is then known already counts as enqueued.
func (s *Stream) Run(ctx context.Context) {
	me, claimed := rand.Text(), time.Time{}
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	told := false
	for ctx.Err() == nil {
		claim := time.Since(claimed) > claimEvery
		all, err := s.read(ctx, me, claim)
		if claim && err == nil && len(all) == 0 {
			claimed = time.Now()
		}
		if err == nil {
			err = s.work(ctx, all, claim, wait)
		}
		if err == nil {
			told = false
			wait.Reset()
			continue
		}
		if ctx.Err() == nil && !told {
			told = true
			s.Log.Error().Err(err).Msg("jobs of the intake stream wait: they are enqueued later")
		}
		pause(ctx, wait.NextBackOff())
	}
	s.leave(context.WithoutCancel(ctx), me)
}

// read takes new entries or, with claim, those that somebody left behind.
func (s *Stream) read(ctx context.Context, me string, claim bool) ([]redis.XMessage, error) {
	if claim {
		err := s.Redis.XGroupCreateMkStream(ctx, wire.IntakeStream, streamGroup, "0").Err()
		if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
			return nil, fmt.Errorf("create the intake's group: %w", err)
		}
		s.forget(ctx)
		left, _, err := s.Redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: wire.IntakeStream, Group: streamGroup, Consumer: me, MinIdle: claimIdle, Start: "0", Count: perRead,
		}).Result()
		if err != nil {
			return nil, fmt.Errorf("take over the intake's entries: %w", err)
		}
		return left, nil
	}
	got, err := s.Redis.XReadGroup(ctx, &redis.XReadGroupArgs{
		Streams: []string{wire.IntakeStream, ">"}, Group: streamGroup, Consumer: me, Count: perRead, Block: readTime,
	}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the intake: %w", err)
	}
	return got[0].Messages, nil
}

// work enqueues a lot and takes it off the stream. again: it may have been
// enqueued before. While Redis is away it tries again, since nobody else does
// for a while; what is left then is another's.
func (s *Stream) work(ctx context.Context, all []redis.XMessage, again bool, wait backoff.BackOff) error {
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := endingAfter(ctx, finishTime)
	defer cancel()
	lot := make([]*given, len(all))
	for i, m := range all {
		lot[i] = readEntry(m)
	}
	for {
		err := s.enqueue(ctx, lot, again)
		if err == nil {
			err = s.finish(ctx, lot)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		again = true
		pause(ctx, wait.NextBackOff())
	}
}

// readEntry reads a stream's entry. A job without an id gets one that its entry
// makes, so that it is the same whoever reads it.
func readEntry(m redis.XMessage) *given {
	g := &given{id: m.ID}
	text, ok := m.Values["job"].(string)
	if !ok {
		g.err = errors.New(`the entry has no field "job": write XADD ` + wire.IntakeStream + ` * job '<json>'`)
		return g
	}
	g.job, g.err = push.DecodeJob([]byte(text))
	if invalid, bad := errors.AsType[*push.InvalidError](g.err); bad {
		g.name = invalid.Job
		return g
	}
	if g.job.ID == "" {
		g.job.ID = "intake-" + m.ID
	}
	g.name = g.job.ID
	return g
}

// enqueue enqueues what is neither refused nor enqueued. The error is that of
// Redis, of which some jobs may be the victims and others not.
func (s *Stream) enqueue(ctx context.Context, lot []*given, again bool) error {
	var open []*given
	var jobs []push.Job
	for _, g := range lot {
		if g.err == nil && !g.queued {
			open, jobs = append(open, g), append(jobs, g.job)
		}
	}
	var fault error
	for i, o := range s.Client().EnqueueMany(ctx, jobs) {
		g := open[i]
		_, invalid := errors.AsType[*push.InvalidError](o.Err)
		duplicate := errors.Is(o.Err, push.ErrDuplicate)
		switch {
		case o.Err == nil, duplicate && again:
			g.queued = true
		case invalid, duplicate, errors.Is(o.Err, push.ErrConflict):
			g.err = o.Err
		default:
			fault = o.Err
		}
	}
	return fault
}

// finish takes the lot off the stream and answers what was refused, in one step.
func (s *Stream) finish(ctx context.Context, lot []*given) error {
	ids, refused := make([]string, len(lot)), 0
	_, err := s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, g := range lot {
			ids[i] = g.id
			if g.err != nil {
				refused++
				p.XAdd(ctx, &redis.XAddArgs{Stream: wire.RefusedStream, Values: []any{"id", g.id, "job", g.name, "reason", g.err.Error()}})
			}
		}
		p.XAck(ctx, wire.IntakeStream, streamGroup, ids...)
		p.XDel(ctx, wire.IntakeStream, ids...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("take %d entries off the intake: %w", len(lot), err)
	}
	s.Meter.Intake(len(lot)-refused, refused)
	return nil
}

// leave takes this consumer off the list; what it holds keeps it there.
func (s *Stream) leave(ctx context.Context, me string) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	held, err := s.Redis.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: wire.IntakeStream, Group: streamGroup, Consumer: me, Start: "-", End: "+", Count: 1,
	}).Result()
	if err == nil && len(held) == 0 {
		s.Redis.XGroupDelConsumer(ctx, wire.IntakeStream, streamGroup, me)
	}
}

// forget takes consumers off the list that were not heard of for long.
func (s *Stream) forget(ctx context.Context) {
	all, err := s.Redis.XInfoConsumers(ctx, wire.IntakeStream, streamGroup).Result()
	if err != nil {
		return // it is tried again
	}
	for _, c := range all {
		if c.Pending == 0 && c.Idle > goneAfter {
			s.Redis.XGroupDelConsumer(ctx, wire.IntakeStream, streamGroup, c.Name)
		}
	}
}

// endingAfter is a context that ends a while after ctx.
func endingAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		pause(longer, d)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
