package dispatch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// memoryBook is a Book in memory that obeys the same rule as the one in Redis: a
// step counts if no other was recorded since its chunk was read. It checks
// every step against what is possible.
type memoryBook struct {
	mu     sync.Mutex
	chunks map[string]string // encoded, as in Redis
	jobs   map[string]*balance
	faults []string
}

// balance is a job's ledger.
type balance struct {
	accepted int
	canceled bool
	outcomes map[wire.Outcome]int
}

func newMemoryBook() *memoryBook {
	return &memoryBook{chunks: map[string]string{}, jobs: map[string]*balance{}}
}

func (s *memoryBook) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// add stores a chunk and returns its task.
func (s *memoryBook) add(ref, lane string, c wire.Chunk) task {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := c.Encode()
	if err != nil {
		panic(err) // the test's own chunk
	}
	s.chunks[ref] = string(b)
	h := wire.Header{App: "shop", Chunk: ref, Jobs: len(c.Entries)}
	for _, e := range c.Entries {
		if s.jobs[e.Job] == nil {
			s.jobs[e.Job] = &balance{outcomes: map[wire.Outcome]int{}}
		}
		s.jobs[e.Job].accepted += len(e.Tokens)
		h.Tokens += len(e.Tokens)
		h.Expires = max(h.Expires, e.Expires/1000)
	}
	if len(c.Entries) == 1 {
		h.Job, h.Jobs = c.Entries[0].Job, 0
	}
	return task{lane, queue.Task{ID: ref, Payload: h.Encode()}}
}

// Load reads a chunk.
func (s *memoryBook) Load(_ context.Context, h wire.Header) (*ledger.Open, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, ok := s.chunks[h.Chunk]
	if !ok {
		return nil, nil
	}
	c, err := wire.DecodeChunk(raw)
	if err != nil {
		return nil, err
	}
	o := &ledger.Open{Ref: h.Chunk, Chunk: c, Canceled: make([]bool, len(c.Entries)), Settled: make([]bool, len(c.Entries))}
	for i, e := range c.Entries {
		j := s.jobs[e.Job]
		if e.Single {
			o.Settled[i] = len(j.outcomes) > 0
		}
		o.Canceled[i] = j.canceled && !o.Settled[i]
	}
	return o, nil
}

// Recheck reports whether chunks and jobs are as they were loaded.
func (s *memoryBook) Recheck(_ context.Context, loaded []ledger.Loaded) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range loaded {
		if raw, ok := s.chunks[h.Chunk]; !ok || gen(raw)>>20 != h.Gen>>20 {
			return ledger.TakenOver, nil
		}
		for _, j := range h.Jobs {
			if have := s.jobs[j.Job]; have.canceled && (!j.Single || len(have.outcomes) == 0) {
				return ledger.Canceled, nil
			}
		}
	}
	return "", nil
}

// Canceled reports whether a job was canceled.
func (s *memoryBook) Canceled(_ context.Context, job string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[job]
	return j != nil && j.canceled, nil
}

// Fence makes every run that loaded the chunk unable to record.
func (s *memoryBook) Fence(ctx context.Context, ref string, ours func(context.Context) (bool, error)) error {
	if ok, err := ours(ctx); err != nil || !ok {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if raw, ok := s.chunks[ref]; ok {
		if c, err := wire.DecodeChunk(raw); err == nil && len(raw) == c.StatesOffset() {
			raw += string(c.States) // a chunk whose generation is not 0 has its states
		}
		s.chunks[ref] = raw[:wire.GenOffset] + wire.Head(gen(raw)+1<<20, 0)[:wire.GenLength] + raw[wire.GenOffset+wire.GenLength:]
	}
	return nil
}

// List does nothing: nothing in memory lists open work.
func (s *memoryBook) List(context.Context, ledger.Listing) error { return nil }

func (s *memoryBook) Lose(context.Context, string, wire.Open, wire.DeadReason) (int, error) {
	return 0, nil
}

func (s *memoryBook) Left(_ context.Context, refs []string) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([]bool, len(refs))
	for i, ref := range refs {
		_, left[i] = s.chunks[ref]
	}
	return left, nil
}

func gen(raw string) uint32 {
	return binary.BigEndian.Uint32([]byte(raw[wire.GenOffset : wire.GenOffset+wire.GenLength]))
}

// cancel cancels a job.
func (s *memoryBook) cancel(job string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[job].canceled = true
}

// Settle records steps, each by itself.
func (s *memoryBook) Settle(_ context.Context, steps []*ledger.Step) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]bool, len(steps))
	for i, st := range steps {
		out[i] = s.settle(st)
	}
	return out, nil
}

func (s *memoryBook) settle(st *ledger.Step) bool {
	raw, ok := s.chunks[st.Ref]
	if ok && gen(raw) == st.Next {
		return true // it is recorded already
	}
	if !ok || raw[wire.GenOffset:wire.GenOffset+wire.GenLength] != wire.Head(st.Gen, 0)[:wire.GenLength] {
		return false
	}
	s.check(raw, st)
	for _, j := range st.Jobs {
		for o, n := range j.Outcomes {
			s.jobs[j.Job].outcomes[o] += n
		}
	}
	if st.Done {
		delete(s.chunks, st.Ref)
		return true
	}
	rest := raw[min(len(raw), st.Offset+len(st.States)):] // SETRANGE leaves what follows
	s.chunks[st.Ref] = raw[:wire.GenOffset] + wire.Head(st.Next, st.Cap) + raw[wire.GenOffset+wire.GenLength+2:st.Offset] + string(st.States) + rest
	return true
}

// check compares what became of the states with what the step says of it.
func (s *memoryBook) check(raw string, st *ledger.Step) {
	before, err := wire.DecodeChunk(raw)
	if err != nil {
		s.fault("chunk %s: %v", st.Ref, err)
		return
	}
	ended, dead, invalid := map[string]int{}, 0, 0
	at := 0
	for _, e := range before.Entries {
		for range e.Tokens {
			was, is := before.States[at], st.States[at]
			if was == wire.Resolved && is != wire.Resolved {
				s.fault("a token of job %s that had its outcome is unresolved again", e.Job)
			}
			if was != wire.Resolved && is == wire.Resolved {
				ended[e.Job]++
			}
			at++
		}
	}
	for _, j := range st.Jobs {
		for o, n := range j.Outcomes {
			ended[j.Job] -= n
			if n <= 0 || o == wire.Pending {
				s.fault("job %s: %d tokens end %s", j.Job, n, o)
			}
			switch o {
			case wire.Dead:
				dead += n
			case wire.Invalid:
				invalid += n
			case wire.Delivered, wire.Dropped, wire.Expired, wire.Canceled, wire.Pending:
			}
		}
	}
	for id, n := range ended {
		if n != 0 {
			s.fault("job %s: the states say %d more outcomes than the ledger", id, n)
		}
	}
	s.checkEntries(st, dead, invalid)
	if done := strings.Count(string(st.States[:at]), "\xff") == at; done != st.Done {
		s.fault("chunk %s: done=%v, want %v", st.Ref, st.Done, done)
	}
}

func (s *memoryBook) checkEntries(st *ledger.Step, dead, invalid int) {
	for _, l := range st.Dead {
		dead -= strings.Count(l.Tokens, "\n") + 1
		if l.Attempts < 0 || l.Attempts >= wire.Sent || l.Reason == "" || l.Message == "" {
			s.fault("a dead letter is %+v", l)
		}
	}
	if dead != 0 {
		s.fault("%d tokens that ended dead have no dead letter", dead)
	}
	if invalid != len(st.Invalid) {
		s.fault("%d invalid tokens, %d entries in the feed", invalid, len(st.Invalid))
	}
}

// count is how many tokens of a job have the outcome.
func (s *memoryBook) count(job string, o wire.Outcome) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[job]
	if o != wire.Pending {
		return j.outcomes[o]
	}
	n := j.accepted
	for _, have := range j.outcomes {
		n -= have
	}
	return n
}

// open reads every chunk.
func (s *memoryBook) open() map[string]*wire.Chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*wire.Chunk{}
	for ref, raw := range s.chunks {
		c, err := wire.DecodeChunk(raw)
		if err != nil {
			s.fault("chunk %s: %v", ref, err)
			continue
		}
		all[ref] = c
	}
	return all
}

// left reports whether a chunk is still there.
func (s *memoryBook) left(ref string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.chunks[ref]
	return ok
}

// complaints are what was impossible so far.
func (s *memoryBook) complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}
