package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Step is what one run has found out about a chunk. It is recorded as a whole or, if
// another run recorded a step in between, not at all.
type Step struct {
	Ref string
	// Lane and Open are where the open work is listed, and its member, which is removed
	// with the chunk. OpenNext, if it is not "", replaces it, with the score Expires.
	Lane, Open, OpenNext string
	Expires              int64
	// App and Vendor are those of the tokens.
	App, Vendor string
	// Gen is the generation that the step follows, Next the one that it writes: see
	// Follow.
	Gen, Next uint32
	Cap       int
	// States are the tokens' states with the chunk's tail after them.
	States []byte
	// Offset is where the states are in the chunk.
	Offset int
	// Done: every token has its outcome; the chunk is deleted.
	Done bool
	Jobs []JobStep
	// Answered is for how many tokens the vendor gave a verdict: it accepted them, or
	// called them invalid.
	Answered int
	Invalid  []InvalidToken
	Dead     []DeadLetter
	// Standing is what became of Invalid; Settle sets it where the step was recorded.
	Standing Standing
	// Ended is set by Settle if the step comes too late because a step that ended the
	// chunk was recorded: this one, sent before, whose reply was lost, or another run's.
	// Nothing is left of the chunk that could tell which.
	Ended bool
}

// Follow makes the step the next one after a generation.
func (s *Step) Follow(gen uint32) { s.Gen, s.Next = gen, nextStep(gen) }

// JobStep is what a step changes in one job's ledger.
type JobStep struct {
	Job    string
	Single bool
	// Outcomes has tokens by outcome, Codes answers by code.
	Outcomes map[wire.Outcome]int
	Codes    map[string]int
}

// DeadLetter is one entry of the dead letters: tokens that ended dead for one reason.
type DeadLetter struct {
	App, Vendor, Job, Code, Class string
	Reason                        wire.DeadReason
	// Detail is what the vendor or the network said of it.
	Detail   string
	Attempts int
	Tokens   string // newline-separated
	// What a replay needs. Key is the tokens' idempotency key, if it does not follow
	// from job and message.
	Message, Priority, Delivery, Key string
	Start, Expires                   int64 // Unix milliseconds
}

// Settle records the steps, each by itself, in one round trip. It answers for
// each whether it was recorded, now or before; false means that another run was
// first, or that the chunk is done: see Step.Ended.
func (s *Store) Settle(ctx context.Context, steps []*Step) ([]bool, error) {
	now := s.now()
	calls := make([]*lua.Call, len(steps))
	for i, st := range steps {
		calls[i] = s.settleCall(st, now)
	}
	cmds, err := lua.RunAllBy(ctx, s.Redis, calls, func(questions func(redis.Cmdable)) { s.ask(ctx, len(steps), questions) })
	out := make([]bool, len(steps))
	var faults []error
	for i, cmd := range cmds {
		if fault := steps[i].note(cmd, &out[i]); fault != nil {
			faults = append(faults, fmt.Errorf("settle chunk %s: %w", steps[i].Ref, fault))
		}
	}
	if len(faults) == 0 {
		return out, err
	}
	return out, errors.Join(faults...)
}

// note reads what the script answered: see settle.lua.
func (s *Step) note(cmd *redis.Cmd, recorded *bool) error {
	n, err := cmd.Int()
	*recorded = n > 0
	s.Ended = n < 0
	s.Standing = Standing(max(0, n-1))
	return err
}

func (s *Store) settleCall(st *Step, now time.Time) *lua.Call {
	fields := 0
	for _, j := range st.Jobs {
		fields += len(j.Outcomes) + len(j.Codes)
	}
	c := settleScript.Call().Grow(2*len(st.Jobs), 3*len(st.Jobs)+2*fields+21*len(st.Invalid)+38*len(st.Dead)).
		Key("chunk", wire.ChunkKey(st.Ref)).
		Key("feed", wire.InvalidStream).
		Key("dead", wire.DeadStream).
		Key("quarantine", wire.QuarantineStream).
		Key("guard", wire.GuardKey(st.App, st.Vendor, "")).
		Key("marks", wire.GoneKey(st.App, st.Vendor)).
		Key("open_work", wire.OpenKey(st.Lane)).
		Key("chunk_jobs", wire.PackJobsKey(st.Ref)).
		Arg("expected", wire.Head(st.Gen, 0)[:wire.GenLength]).
		Arg("head", wire.Head(st.Next, st.Cap)).
		Arg("states", string(st.States)).
		Arg("offset", st.Offset).
		Arg("done", st.Done).
		Arg("now", now.Unix()).
		Arg("now36", strconv.FormatInt(now.Unix(), 36)).
		Arg("keep_at_least", int64(s.keep()/time.Second)).
		Arg("keep_single", int64(singleKeep/time.Second)).
		Arg("answered", st.Answered).
		Arg("guard_least", s.Guard.Min).
		Arg("guard_ratio", s.Guard.Ratio).
		Arg("member", st.Open).
		Arg("next_member", st.OpenNext).
		Arg("next_score", st.Expires)
	for _, j := range st.Jobs {
		c.Row("job").Key("ledger", wire.JobKey(j.Job)).Key("message", wire.MessageKey(j.Job))
		if j.Single {
			c.Arg("form", "single").Arg("outcome", j.outcome().Letter()).Arg("counts", len(j.Codes))
		} else {
			c.Arg("form", "hash").Arg("outcome", "").Arg("counts", len(j.Outcomes)+len(j.Codes))
		}
	}
	for _, j := range st.Jobs {
		if !j.Single {
			for o, n := range j.Outcomes {
				c.Row("count").Arg("field", string(o)).Arg("n", n)
			}
		}
		for code, n := range j.Codes {
			if j.Single {
				code = wire.ShortCode(code)
			}
			c.Row("count").Arg("field", code).Arg("n", n)
		}
	}
	invalid, dead := make([][]any, len(st.Invalid)), make([][]any, len(st.Dead))
	for i, t := range st.Invalid {
		invalid[i] = t.addTo(c.Row("invalid"), now)
	}
	for i, d := range st.Dead {
		dead[i] = d.words(stamp(now))
		c.Row("letter").Arg("words", len(dead[i]))
	}
	for _, words := range append(invalid, dead...) {
		c.Rest(words...)
	}
	return c
}

// outcome is that of a single job's token; "": it has none.
func (j JobStep) outcome() wire.Outcome {
	for o := range j.Outcomes {
		return o
	}
	return ""
}

// stamp formats a time for entries of streams.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (d DeadLetter) words(at string) []any {
	return wire.DeadEntry{
		App: d.App, Vendor: d.Vendor, Job: d.Job, Code: d.Code, Class: d.Class, Reason: d.Reason, Detail: d.Detail,
		Attempts: d.Attempts, At: at, Tokens: d.Tokens, Message: d.Message, Priority: d.Priority, Delivery: d.Delivery,
		Key: d.Key, Start: d.Start, Expires: d.Expires,
	}.Words()
}
