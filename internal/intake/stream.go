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
	// claimEvery is how often a worker looks for entries that another one read and did
	// not finish, and claimIdle how long those must have been idle.
	claimEvery = 5 * time.Second
	claimIdle  = 15 * time.Second
	// finishTime is how long the work on entries that were read may take after ctx has
	// ended.
	finishTime = 10 * time.Second
)

// StreamMeter counts jobs of the stream.
type StreamMeter interface {
	Intake(enqueued, refused int)
}

// Stream enqueues jobs that programs of any language add to a Redis stream,
// each as JSON in the field "job". An entry is removed once its job is enqueued or
// refused; a second stream says why a job, or a single token of one, was refused.
type Stream struct {
	Redis redis.UniversalClient
	// Client is called for every lot; its result may change at any time.
	Client func() Enqueuer
	Meter  StreamMeter
	Log    zerolog.Logger
}

// given is one entry that was read.
type given struct {
	id     string
	job    push.Job
	err    error  // why it is refused
	name   string // the job's id, also of a job that cannot be read
	queued bool
	// tokens are the refused tokens of a job that was enqueued.
	tokens []push.Refusal
}

// Run enqueues the stream's jobs until ctx ends, together with other workers. A worker
// may crash at any moment: another one takes over the entries that it did not finish,
// and a job that is already known then counts as enqueued.
func (s *Stream) Run(ctx context.Context) {
	in := &coord.StreamReader{Redis: s.Redis, Stream: wire.IntakeStream, PerRead: perRead, ClaimEvery: claimEvery, ClaimIdle: claimIdle}
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	logged := false
	for ctx.Err() == nil {
		all, again, err := in.Read(ctx)
		if err == nil {
			err = s.work(ctx, in, all, again, wait)
		}
		if err == nil {
			logged = false
			wait.Reset()
			continue
		}
		if ctx.Err() == nil && !logged {
			logged = true
			s.Log.Error().Err(err).Msg("jobs of the intake stream are enqueued later")
		}
		coord.Sleep(ctx, wait.NextBackOff())
	}
	in.Leave(context.WithoutCancel(ctx))
}

// work enqueues a lot and removes it from the stream. again: it may have been enqueued
// before. While Redis is not reachable it tries again, since no other worker does for a
// while; later another worker takes the entries over.
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

// readEntry reads a stream's entry. A job without an id gets one that is made from the
// entry's, so that it is the same whichever worker reads it.
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

// enqueue enqueues the jobs that are neither refused nor enqueued. The error is one of
// Redis, which may have affected only some of the jobs.
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

// refusedPerStep is the most answers of one call of refuseScript.
const refusedPerStep = 500

// refuse answers what was refused of an entry: its job, or tokens of a job that was
// enqueued. No answer contains a token.
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

// finish removes the lot from the stream and answers what was refused, in one step.
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

// endingAfter returns a context that ends d after ctx.
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
