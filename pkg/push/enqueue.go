package push

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// smallTokens and smallBytes bound the jobs that are enqueued whole in one step.
	smallTokens = 1000
	smallBytes  = 256 << 10
	// packBytes bounds a chunk that small jobs share.
	packBytes = 256 << 10
	// manyJobs and manyBytes bound one step of EnqueueMany, so that it occupies Redis
	// for a few milliseconds at most.
	manyJobs  = 1000
	manyBytes = 2 << 20
	// grace is how long a job's keys are kept after its expiry, in case all workers
	// were stopped.
	grace = 7 * 24 * time.Hour
)

// Outcome is what became of one job of EnqueueMany.
type Outcome struct {
	// Result has nothing accepted if there is an error.
	Result Result
	// Err is nil, an *InvalidError, or wraps ErrDuplicate or a fault of Redis.
	Err error
}

// Enqueue enqueues one job: all of it, or nothing and an error. The error is an
// *InvalidError if the job is invalid, and wraps ErrDuplicate if its id is known.
//
// Sending a job again that a crash left half-enqueued completes it.
func (c *Client) Enqueue(ctx context.Context, j Job) (Result, error) {
	o := c.EnqueueMany(ctx, []Job{j})[0]
	return o.Result, o.Err
}

// EnqueueMany enqueues jobs that are independent of each other, and returns their
// outcomes in the same order. Small jobs of one app, vendor and priority share
// chunks; each has its own ledger, result and idempotency.
func (c *Client) EnqueueMany(ctx context.Context, jobs []Job) []Outcome {
	out := make([]Outcome, len(jobs))
	var batch []*small
	bytes := 0
	flush := func() {
		c.enqueueSmall(ctx, batch)
		batch, bytes = batch[:0], 0
	}
	for i := range jobs {
		j := jobs[i] // the defaults go into a copy
		s := c.admit(&j, &out[i])
		if s == nil {
			continue
		}
		if !s.fits() {
			flush() // of two jobs with the same id the first one is enqueued
			out[i].Result, out[i].Err = c.enqueueLarge(ctx, s)
			continue
		}
		if len(batch) == manyJobs || bytes+s.bytes > manyBytes {
			flush()
		}
		batch, bytes = append(batch, s), bytes+s.bytes
	}
	flush()
	for i := range out {
		if out[i].Err != nil {
			out[i].Result.Accepted, out[i].Result.Chunks = 0, 0
		}
	}
	return out
}

// small is a job with its accepted tokens, ready to be enqueued.
type small struct {
	*prepared
	vendors []string // sorted
	tokens  map[string][]string
	count   int
	bytes   int
	out     *Outcome
}

func (s *small) fits() bool { return s.count <= smallTokens && s.bytes <= smallBytes }

// admit checks a job and its tokens; nil: it was refused, and out says why.
func (c *Client) admit(j *Job, out *Outcome) *small {
	out.Result = Result{Job: j.ID, Refused: []Refusal{}}
	now := c.now()
	named := slices.Sorted(maps.Keys(j.Targets))
	named = slices.DeleteFunc(named, func(v string) bool { return len(j.Targets[v]) == 0 })
	if f := c.check(j, named, now); len(f) > 0 {
		out.Err = &InvalidError{Job: j.ID, Faults: f}
		return nil
	}
	p, err := prepare(j, now)
	if err != nil {
		out.Err = err
		return nil
	}
	s := &small{prepared: p, vendors: named, tokens: map[string][]string{}, out: out, bytes: len(p.message) + 64}
	out.Result.Job = j.ID
	for _, v := range named {
		s.take(v, j.Targets[v])
	}
	if s.count == 0 {
		out.Err = &InvalidError{Job: j.ID, Faults: []Fault{{Field: "targets", Reason: "no token can be sent to: " + firstRefusal(out.Result.Refused)}}}
		return nil
	}
	out.Result.Accepted = s.count
	return s
}

func firstRefusal(r []Refusal) string {
	if len(r) == 0 {
		return "none is given"
	}
	return fmt.Sprintf("number %d for %s %s", r[0].Position, r[0].Vendor, r[0].Reason)
}

// take accepts or refuses each token of one vendor.
func (s *small) take(vendor string, tokens []string) {
	seen := make(map[string]struct{}, len(tokens))
	for i, t := range tokens {
		if why := checkToken([]byte(t)); why != "" {
			s.out.Result.Refused = append(s.out.Result.Refused, Refusal{Position: i + 1, Vendor: vendor, Reason: why})
			continue
		}
		if _, twice := seen[t]; twice {
			continue
		}
		seen[t] = struct{}{}
		s.tokens[vendor] = append(s.tokens[vendor], t)
		s.count++
		s.bytes += len(t) + 2
	}
}

// enqueueLarge enqueues a job whose tokens are in memory as a Stream.
func (c *Client) enqueueLarge(ctx context.Context, s *small) (Result, error) {
	st := c.stream(s.prepared)
	for _, v := range s.vendors {
		for _, t := range s.tokens[v] {
			if err := st.add(ctx, v, []byte(t)); err != nil {
				return s.out.Result, errors.Join(err, st.Abort(ctx))
			}
		}
	}
	r, err := st.Commit(ctx)
	r.Refused = s.out.Result.Refused
	return r, err
}

// enqueueSmall enqueues the jobs in one step; jobs whose ids are taken are left out,
// and their outcomes say so.
func (c *Client) enqueueSmall(ctx context.Context, jobs []*small) {
	jobs = c.dropRepeated(jobs)
	for len(jobs) > 0 {
		taken, err := c.runEnqueue(ctx, jobs)
		if err != nil {
			for _, s := range jobs {
				s.out.Err = fmt.Errorf("enqueue job %s: %w", s.ID, err)
			}
			return
		}
		if len(taken) == 0 {
			return
		}
		left := jobs[:0:0]
		for i, s := range jobs {
			if slices.Contains(taken, int64(i+1)) {
				s.out.Err = duplicate(s.ID)
			} else {
				left = append(left, s)
			}
		}
		jobs = left
	}
}

// dropRepeated refuses jobs whose id an earlier job of the batch has.
func (c *Client) dropRepeated(jobs []*small) []*small {
	seen := make(map[string]struct{}, len(jobs))
	left := make([]*small, 0, len(jobs))
	for _, s := range jobs {
		if _, twice := seen[s.ID]; twice {
			s.out.Err = duplicate(s.ID)
			continue
		}
		seen[s.ID] = struct{}{}
		left = append(left, s)
	}
	return left
}

func duplicate(id string) error { return fmt.Errorf("job %s: %w", id, ErrDuplicate) }

func (c *Client) runEnqueue(ctx context.Context, jobs []*small) ([]int64, error) {
	now := c.now()
	packs := c.pack(jobs, now)
	call := enqueueScript.Call().Grow(len(jobs)+6*len(packs), 6*len(jobs)+9*len(packs)).
		Key("call", wire.CallKey(packs[0].nonce, "enqueue")).
		Key("open_jobs", wire.JobsKey).
		Arg("now", now.Unix()).
		Arg("window", int64(c.window/time.Second)).
		Arg("nanos", now.UnixNano())
	for _, s := range jobs {
		c.addLedger(call, s, now)
	}
	for _, p := range packs {
		chunk, task, err := p.encode()
		if err != nil {
			return nil, err
		}
		call.Row("chunk").
			Key("chunk", wire.ChunkKey(p.header.Chunk)).
			Key("task", wire.TaskKey(task.Queue, task.ID)).
			Key("list", queueKey(task.Queue, p.due)).
			Key("turns", wire.TurnKey(task.Queue)).
			Key("open_work", wire.OpenKey(task.Queue)).
			Key("chunk_jobs", wire.PackJobsKey(p.header.Chunk)).
			Arg("bytes", chunk).
			Arg("ttl", ttl(p.expires, now)).
			Arg("id", task.ID).
			Arg("msg", task.Encode()).
			Arg("due", p.due).
			Arg("app", p.header.App).
			Arg("member", wire.OpenOf(task.ID, p.header).Encode()).
			Arg("score", p.header.Expires).
			Arg("jobs", p.packedJobs())
		if err := c.publish(ctx, task.Queue); err != nil {
			return nil, err
		}
	}
	return call.Run(ctx, c.rdb).Int64Slice()
}

// publish makes a lane known to asynq, once. The set only grows, and a lane without
// tasks does no harm.
func (c *Client) publish(ctx context.Context, lane string) error {
	if _, done := c.published.Load(lane); done {
		return nil
	}
	if err := c.rdb.SAdd(ctx, wire.AsynqQueues, lane).Err(); err != nil {
		return err
	}
	c.published.Store(lane, struct{}{})
	return nil
}

// ttl is how many seconds the keys of a job are kept in Redis: a century at most,
// because Redis and time.Duration both overflow for the year 9999.
func ttl(expires, now time.Time) int64 {
	const century = 100 * 365 * 24 * 3600
	return min(expires.Unix()-now.Unix()+int64(grace/time.Second), century)
}

func queueKey(lane string, due int64) string {
	if due > 0 {
		return wire.ScheduledKey(lane)
	}
	return wire.PendingKey(lane)
}

// pack is a chunk that is being filled, with what its task needs.
type pack struct {
	header  wire.Header
	chunk   wire.Chunk
	lane    string
	due     int64
	expires time.Time
	bytes   int
	nonce   string
	index   map[string]int // of messages by digest
}

type packKey struct {
	lane, app string
	due       int64
}

// pack distributes the jobs over as few chunks as their lanes, apps and start
// times allow.
func (c *Client) pack(jobs []*small, now time.Time) []*pack {
	open := map[packKey]*pack{}
	var all []*pack
	for _, s := range jobs {
		s.out.Result.Chunks = 0
		for _, v := range s.vendors {
			tokens, limit, most := s.tokens[v], c.batch(s.App, v, s.Message.Test), c.batch(s.App, v, false)
			for i := 0; len(tokens) > 0; i++ {
				part := tokens[:cutAt(len(tokens), limit, c.vendors[v].MinBatch)]
				tokens = tokens[len(part):]
				k := packKey{wire.Lane(v, string(s.Priority)), s.App, s.scheduled(now)}
				p := open[k]
				if p == nil || p.header.Tokens+len(part) > most || p.bytes+s.bytes > packBytes {
					p = &pack{lane: k.lane, due: k.due, index: map[string]int{}, nonce: strings.ToLower(rand.Text()[:12])}
					p.header.App = s.App
					open[k] = p
					all = append(all, p)
				}
				p.add(s, part, c.atMostOnce(s.Job, v))
				s.out.Result.Chunks++
			}
		}
	}
	return all
}

// cutAt is how many of n tokens go into the next chunk of at most limit, so that the
// last chunk has at least the given number of tokens, if there are as many.
func cutAt(n, limit, least int) int {
	if rest := n - limit; rest > 0 && rest < least && least <= limit {
		return n - least
	}
	return min(n, limit)
}

// add puts a part of a job into the chunk.
func (p *pack) add(s *small, tokens []string, atMostOnce bool) {
	m, ok := p.index[s.digest]
	if !ok {
		m = len(p.chunk.Messages)
		p.index[s.digest] = m
		p.chunk.Messages = append(p.chunk.Messages, s.message)
		p.bytes += len(s.message)
	}
	p.chunk.Entries = append(p.chunk.Entries, wire.Entry{
		Job: s.ID, Single: s.count == 1, AtMostOnce: atMostOnce,
		Start: s.start.UnixMilli(), Expires: s.expires.UnixMilli(), Message: m, Tokens: tokens,
	})
	for _, t := range tokens {
		p.bytes += len(t) + 2
	}
	p.header.Tokens += len(tokens)
	p.header.Message = s.digest
	if start := s.start.UnixMilli(); p.header.Start == 0 || start < p.header.Start {
		p.header.Start = start
	}
	if s.expires.After(p.expires) {
		p.expires = s.expires
	}
}

// packedJobs is what PackJobsKey holds, "" for a chunk of one job.
func (p *pack) packedJobs() string {
	if len(p.chunk.Entries) == 1 {
		return ""
	}
	return wire.EncodePackedJobs(p.chunk.Entries)
}

// encode gives the chunk its name, and encodes it and its task.
func (p *pack) encode() ([]byte, wire.Task, error) {
	first := p.chunk.Entries[0].Job
	title := first
	vendor, _ := wire.SplitLane(p.lane)
	if len(p.chunk.Entries) == 1 {
		p.header.Job = first
		p.header.Chunk = wire.JobChunk(first, vendor+":"+p.nonce)
	} else {
		p.header.Jobs = len(p.chunk.Entries)
		title = fmt.Sprintf("%d jobs", p.header.Jobs)
		p.header.Chunk = wire.PackChunk(p.nonce)
	}
	if len(p.chunk.Messages) > 1 {
		p.header.Message = ""
	}
	p.header.Expires = p.expires.Unix()
	b, err := p.chunk.Encode()
	task := wire.Task{ID: wire.TaskID(title, p.nonce), Queue: p.lane, Payload: p.header.Encode()}
	return b, task, err
}
