package intake

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// perRead is the most entries that are enqueued together.
	perRead = 500
	// claimEvery is how often a worker looks for what another one left, and
	// claimIdle how long that must have lain.
	claimEvery = 5 * time.Second
	claimIdle  = 15 * time.Second
	// finishTime bounds the work on what was read when Run is to end.
	finishTime = 10 * time.Second
)

// StreamMeter counts jobs that came by the stream.
type StreamMeter interface {
	Intake(enqueued, refused int)
}

// Stream enqueues jobs that programs of any language add to a Redis stream,
// each as JSON in the field "job". An entry is removed once its job is enqueued
// or refused; why a job, or a single token of one, was refused is told in a second
// stream.
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
	// tokens are those that were refused of a job that was enqueued.
	tokens []push.Refusal
}

// Run enqueues what comes until ctx ends, together with other workers. It is
// safe against a crash at any moment: what a worker leaves behind is taken by
// another, and a job that is then known already counts as enqueued.
func (s *Stream) Run(ctx context.Context) {
	in := &coord.StreamReader{Redis: s.Redis, Stream: wire.IntakeStream, PerRead: perRead, ClaimEvery: claimEvery, ClaimIdle: claimIdle}
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	told := false
	for ctx.Err() == nil {
		all, again, err := in.Read(ctx)
		if err == nil {
			err = s.work(ctx, in, all, again, wait)
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
		coord.Sleep(ctx, wait.NextBackOff())
	}
	in.Leave(context.WithoutCancel(ctx))
}

// work enqueues a lot and takes it off the stream. again: it may have been
// enqueued before. While Redis is away it tries again, since nobody else does
// for a while; what is left then is another's.
func (s *Stream) work(ctx context.Context, in *coord.StreamReader, all []redis.XMessage, again bool, wait backoff.BackOff) error {
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
			err = s.finish(ctx, in, lot)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		again = true
		coord.Sleep(ctx, wait.NextBackOff())
	}
}

// readEntry reads a stream's entry. A job without an id gets one that its entry
// makes, so that it is the same whoever reads it.
func readEntry(m redis.XMessage) *given {
	g := &given{id: m.ID}
	text, ok := m.Values[wire.IntakeJob].(string)
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
			g.queued, g.tokens = true, o.Result.Refused
		case invalid, duplicate, errors.Is(o.Err, push.ErrConflict):
			g.err = o.Err
		default:
			fault = o.Err
		}
	}
	return fault
}

//go:embed refuse.lua
var scripts embed.FS

var refuseScript = lua.Load(scripts, "refuse.lua")

// refusedPerStep is the most answers that one run of refuseScript gives.
const refusedPerStep = 500

// refuse answers what was refused of an entry: its job, or tokens of a job that
// was enqueued. No answer holds a token.
func (g *given) refuse(ctx context.Context, p redis.Pipeliner) {
	call := func(mark string, answers [][]any) {
		c := refuseScript.Call().
			Key("refused", wire.RefusedStream).
			Key("answered", wire.CallKey(wire.RefusedStream, mark))
		for _, words := range answers {
			c.Row("answer").Arg("words", len(words))
		}
		c.Rest(slices.Concat(answers...)...)
		c.Eval(ctx, p) // p is a transaction
	}
	if g.err != nil {
		call(g.id, [][]any{wire.RefusedEntry{ID: g.id, Job: g.name, Reason: g.err.Error()}.Words()})
		return
	}
	for i, part := range slices.Collect(slices.Chunk(g.tokens, refusedPerStep)) {
		answers := make([][]any, len(part))
		for k, t := range part {
			answers[k] = wire.RefusedEntry{ID: g.id, Job: g.name, Reason: t.Reason, Position: t.Position, Vendor: t.Vendor}.Words()
		}
		call(fmt.Sprintf("%s.%d", g.id, i), answers)
	}
}

// finish takes the lot off the stream and answers what was refused, in one step.
func (s *Stream) finish(ctx context.Context, in *coord.StreamReader, lot []*given) error {
	ids, refused := make([]string, len(lot)), 0
	for i, g := range lot {
		ids[i] = g.id
		if g.err != nil {
			refused++
		}
	}
	err := in.Done(ctx, ids, func(p redis.Pipeliner) {
		for _, g := range lot {
			g.refuse(ctx, p)
		}
	})
	if err == nil {
		s.Meter.Intake(len(lot)-refused, refused)
	}
	return err
}

// endingAfter is a context that ends a while after ctx.
func endingAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		coord.Sleep(longer, d)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}
