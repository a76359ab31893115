package push

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/zeebo/xxh3"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// stagedTogether is how many chunks are written in one round trip, about 1 MB.
const stagedTogether = 8

// enqueuedTogether is how many tasks are enqueued in one round trip.
const enqueuedTogether = 500

// Stream enqueues one job whose targets are added one by one: chunks are written
// meanwhile, and nothing is sent before Commit. It ends with Commit or Abort: until
// then a goroutine of its own sends heartbeats, without which workers would abort the
// job. It is not safe for concurrent use.
type Stream struct {
	c       *Client
	p       *prepared
	digest  string
	owner   string
	lanes   map[string]*lane
	ready   []staged // full, not yet in Redis
	names   []staged // in Redis; without bytes
	result  Result
	created bool // something of the job is in Redis
	sealed  bool // tasks may exist
	beat    heartbeat
}

// lane fills one vendor's chunks.
type lane struct {
	vendor string
	limit  int
	least  int
	seen   seen
	recent recent
	tokens wire.TokenList
	tail   []string // beyond a full chunk, but too few for the next
	next   int
}

// staged is one chunk of the stream.
type staged struct {
	vendor, name string
	digest       string // of the tokens, with their number
	bytes        []byte
	tokens       int
}

// Open begins a job whose targets follow by Add; j.Targets must be empty. The
// error is an *InvalidError if the job is at fault.
func (c *Client) Open(j Job) (*Stream, error) {
	now := c.now()
	f := c.check(&j, []string{}, now)
	for i := 0; i < len(f); i++ {
		if f[i].Field == "targets" {
			f = append(f[:i], f[i+1:]...)
			i--
		}
	}
	if len(j.Targets) > 0 {
		f = append(f, Fault{"targets", "must be empty: they follow one by one"})
	}
	if len(f) > 0 {
		return nil, &InvalidError{Job: j.ID, Faults: f}
	}
	p, err := prepare(&j, now)
	if err != nil {
		return nil, err
	}
	return c.stream(p), nil
}

func (c *Client) stream(p *prepared) *Stream {
	// Everything that decides about the chunks, but not the clock: the same job sent
	// again must find its own first part.
	d := xxh3.HashString128(strings.Join([]string{
		p.digest, p.App, string(p.Priority), string(p.Delivery), instant(p.NotBefore), instant(p.ExpiresAt),
	}, "\x00")).Bytes()
	return &Stream{
		c: c, p: p, digest: fmt.Sprintf("%x", d), owner: NewID()[:12], lanes: map[string]*lane{},
		result: Result{Job: p.ID, Refused: []Refusal{}},
	}
}

// instant writes a time so that its zone does not matter.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ID is the job's id, generated if the job had none.
func (s *Stream) ID() string { return s.p.ID }

// Add adds the next target; position, from 1, is for reports. A token that cannot be
// sent to is refused in the result; the error is an *InvalidError for a vendor that
// the job cannot have, or wraps ErrDuplicate, ErrConflict or a fault of Redis. After
// an error the job is to be aborted. token is copied.
func (s *Stream) Add(ctx context.Context, position int, vendor string, token []byte) error {
	err := s.take(ctx, position, vendor, token)
	if err != nil {
		s.beat.stop() // the job will not be committed
	}
	return err
}

func (s *Stream) take(ctx context.Context, position int, vendor string, token []byte) error {
	if why := checkToken(token); why != "" {
		s.result.Refused = append(s.result.Refused, Refusal{Position: position, Vendor: vendor, Reason: why})
		// The vendor is checked all the same: a job with an unknown one is refused whole.
		_, err := s.lane(vendor, token)
		return err
	}
	return s.add(ctx, vendor, token)
}

// lane returns a vendor's lane, and creates it with its first token.
func (s *Stream) lane(vendor string, token []byte) (*lane, error) {
	if l := s.lanes[vendor]; l != nil {
		return l, nil
	}
	if _, known := s.c.vendors[vendor]; !known {
		return nil, &InvalidError{Job: s.p.ID, Faults: []Fault{s.c.noVendor(vendor, []string{string(token)})}}
	}
	if f := s.c.check(s.p.Job, []string{vendor}, s.p.start); len(f) > 0 {
		return nil, &InvalidError{Job: s.p.ID, Faults: f}
	}
	l := &lane{vendor: vendor, limit: s.c.batch(s.p.App, vendor, s.p.Message.Test), least: max(1, s.c.vendors[vendor].MinBatch)}
	s.lanes[vendor] = l
	return l, nil
}

func (s *Stream) add(ctx context.Context, vendor string, token []byte) error {
	l, err := s.lane(vendor, token)
	if err != nil {
		return err
	}
	if !l.recent.add(token) {
		return nil
	}
	s.fill(l)
	if len(s.ready) < stagedTogether {
		return nil
	}
	return s.stage(ctx)
}

// fill moves the recent tokens that are new into the lane's chunks.
func (s *Stream) fill(l *lane) {
	l.recent.take(&l.seen, func(token []byte) {
		s.result.Accepted++
		if l.tokens.Len() < l.limit {
			l.tokens.Add(token)
			return
		}
		l.tail = append(l.tail, string(token))
		if len(l.tail) >= l.least {
			s.cut(l)
			l.refill()
		}
	})
}

// refill begins a chunk with the tail of the one before.
func (l *lane) refill() {
	for _, t := range l.tail {
		l.tokens.Add([]byte(t))
	}
	l.tail = l.tail[:0]
}

// end writes the last chunks: a tail that is too short for a chunk takes tokens from
// the chunk before.
func (s *Stream) end(l *lane) {
	if len(l.tail) > 0 {
		for len(l.tail) < l.least && l.tokens.Len() > l.least {
			l.tail = append(l.tail, l.tokens.Pop())
		}
		s.cut(l)
		l.refill()
	}
	if l.tokens.Len() > 0 {
		s.cut(l)
	}
}

// cut completes the lane's chunk.
func (s *Stream) cut(l *lane) {
	// The seed distinguishes lists whose bytes are the same: "ab", "cd" and "abcd".
	d := xxh3.Hash128Seed(l.tokens.Bytes(), uint64(l.tokens.Width()+1)<<32|uint64(l.tokens.Len())).Bytes()
	s.ready = append(s.ready, staged{
		vendor: l.vendor, name: l.vendor + ":" + strconv.Itoa(l.next), digest: string(d[:]) + strconv.Itoa(l.tokens.Len()), tokens: l.tokens.Len(),
		bytes: wire.EncodeEntry(wire.Entry{
			Job: s.p.ID, AtMostOnce: s.c.atMostOnce(s.p.Job, l.vendor),
			Start: s.p.start.UnixMilli(), Expires: s.p.expires.UnixMilli(),
		}, &l.tokens),
	})
	l.tokens.Reset()
	l.next++
}

// stage writes the full chunks.
func (s *Stream) stage(ctx context.Context) error {
	if len(s.ready) == 0 {
		return nil
	}
	now := s.c.now()
	life := ttl(s.p.expires, now)
	keep := int64(s.c.window / time.Second)
	calls := make([]*lua.Call, len(s.ready))
	for i, r := range s.ready {
		calls[i] = stageScript.Call().
			Key("ledger", wire.JobKey(s.p.ID)).
			Key("staged", wire.StagedKey(s.p.ID)).
			Key("message", wire.MessageKey(s.p.ID)).
			Key("chunk", wire.ChunkKey(wire.JobChunk(s.p.ID, r.name))).
			Key("staging_jobs", wire.StagingKey).
			Key("open_jobs", wire.JobsKey).
			Arg("now", now.Unix()).
			Arg("window", keep).
			Arg("ttl", life).
			Arg("app", s.p.App).
			Arg("keep", keep).
			Arg("digest", s.digest).
			Arg("owner", s.owner).
			Arg("text", s.p.message).
			Arg("name", r.name).
			Arg("chunk_digest", r.digest).
			Arg("bytes", r.bytes).
			Arg("tokens", r.tokens).
			Arg("job", s.p.ID).
			Arg("priority", string(s.p.Priority))
	}
	cmds, err := lua.RunAll(ctx, s.c.rdb, calls)
	s.created = true
	s.beat.start(ctx, s.c, s.p.ID)
	if err != nil {
		return fmt.Errorf("stage job %s: %w", s.p.ID, err)
	}
	for i, cmd := range cmds {
		if _, err := s.verdict(cmd); err != nil {
			return err
		}
		s.ready[i].bytes = nil
		s.names = append(s.names, s.ready[i])
	}
	s.ready = s.ready[:0]
	return nil
}

// verdict reads {"ok" | "duplicate" | "conflict", owner}.
func (s *Stream) verdict(cmd *redis.Cmd) (owner string, err error) {
	v, err := cmd.StringSlice()
	if err != nil {
		return "", fmt.Errorf("stage job %s: %w", s.p.ID, err)
	}
	if len(v) != 2 {
		return "", fmt.Errorf("stage job %s: unexpected answer %q", s.p.ID, v)
	}
	switch v[0] {
	case "ok":
		return v[1], nil
	case "duplicate":
		return "", duplicate(s.p.ID)
	}
	return "", fmt.Errorf("job %s: %w: send it as it was, or under a new id", s.p.ID, ErrConflict)
}

// Commit enqueues the job's tasks and returns the result. Until it returns no error
// the job may be sent again, and is then completed.
func (s *Stream) Commit(ctx context.Context) (Result, error) {
	defer s.beat.stop()
	for _, l := range s.lanes {
		s.fill(l)
		s.end(l)
	}
	if s.result.Accepted == 0 {
		return s.result, &InvalidError{Job: s.p.ID, Faults: []Fault{{Field: "targets", Reason: "no token can be sent to: " + firstRefusal(s.result.Refused)}}}
	}
	if err := s.stage(ctx); err != nil {
		return s.result, err
	}
	s.result.Chunks = len(s.names)
	seal := sealScript.Call().
		Key("ledger", wire.JobKey(s.p.ID)).
		Key("staged", wire.StagedKey(s.p.ID)).
		Key("staging_jobs", wire.StagingKey).
		Arg("chunks", len(s.names)).
		Arg("now", s.c.now().Unix()).
		Arg("job", s.p.ID).
		Arg("owner", s.owner)
	owner, err := s.verdict(seal.Run(ctx, s.c.rdb))
	if err != nil {
		return s.result, err
	}
	s.sealed = true
	if err := s.enqueue(ctx, owner); err != nil {
		return s.result, fmt.Errorf("enqueue job %s: %w", s.p.ID, err)
	}
	state, err := commitCall(s.p.ID, s.owner, s.c.now()).Run(ctx, s.c.rdb).Text()
	if err != nil {
		return s.result, fmt.Errorf("enqueue job %s: %w", s.p.ID, err)
	}
	if state != "ok" {
		return s.result, duplicate(s.p.ID)
	}
	return s.result, nil
}

// enqueue enqueues a task for every chunk. The tasks' ids contain owner, which is the
// same for every sender of this job.
func (s *Stream) enqueue(ctx context.Context, owner string) error {
	for _, l := range s.lanes {
		if err := s.c.publish(ctx, wire.Lane(l.vendor, string(s.p.Priority))); err != nil {
			return err
		}
	}
	now := s.c.now()
	due, app := s.p.scheduled(now), s.p.App
	if len(s.names) > aheadTasks {
		app = "" // a large job waits its turn
	}
	for names := s.names; len(names) > 0; {
		part := names[:min(len(names), enqueuedTogether)]
		names = names[len(part):]
		calls := make([]*lua.Call, len(part))
		for i := range part {
			t, h := s.task(part[i], owner)
			calls[i] = taskCall(t, h, now, due, app)
		}
		_, err := lua.RunAll(ctx, s.c.rdb, calls)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) task(r staged, owner string) (wire.Task, wire.Header) {
	h := wire.Header{
		Job: s.p.ID, App: s.p.App, Chunk: wire.JobChunk(s.p.ID, r.name), Tokens: r.tokens,
		Message: s.p.digest, Start: s.p.start.UnixMilli(), Expires: s.p.expires.Unix(),
	}
	return stagedTask(h, owner, r.name, string(s.p.Priority)), h
}

// Abort deletes what was written of a job that will not be committed. A job that an
// earlier attempt began is left to be completed.
func (s *Stream) Abort(ctx context.Context) error {
	s.beat.stop()
	if !s.created {
		return nil
	}
	if err := abortCall(s.p.ID, s.owner).Run(ctx, s.c.rdb).Err(); err != nil {
		return fmt.Errorf("abort job %s: %w", s.p.ID, err)
	}
	return nil
}

// Unsealed reports whether no task of the job exists yet, so that Abort deletes all of
// it.
func (s *Stream) Unsealed() bool { return !s.sealed }
