package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/postrider/postrider/pkg/push"
)

const (
	// longestJob bounds one job of a stream; larger ones go by a targets file.
	longestJob = 64 << 20
	// together is how many jobs go to the client at once, and idle how long an
	// incomplete lot waits for the next line.
	together = 2000
	idle     = 20 * time.Millisecond
)

// Answer is one line of the result of a job stream: what became of the job, or
// why it was refused.
type Answer struct {
	push.Result
	Line      int
	Err       error
	Duplicate bool
}

// Enqueuer enqueues independent jobs.
type Enqueuer interface {
	EnqueueMany(ctx context.Context, jobs []push.Job) []push.Outcome
}

// Jobs reads NDJSON, one whole job a line, enqueues the jobs as they come and
// calls answer with the lines that went together, in order. Blank lines are left out. A line that is
// no job is answered like one that was refused; only what breaks the stream
// itself, the client or answer ends it with an error.
func Jobs(ctx context.Context, r io.Reader, client Enqueuer, answer func([]Answer) error) error {
	l, err := open(r, longestJob)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make(chan lot, 1)
	go readLots(ctx, l, read)
	for b := range read {
		if b.err != nil {
			return b.err
		}
		if err := b.enqueue(ctx, client, answer); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// lot is jobs that go to the client at once.
type lot struct {
	answers []Answer
	jobs    []push.Job
	of      []int // of each job: its answer
	err     error
}

func (b *lot) add(n int, line []byte) {
	j, err := push.DecodeJob(line)
	b.answers = append(b.answers, Answer{Line: n, Err: err, Result: push.Result{Job: j.ID}})
	if err != nil {
		if invalid, ok := errors.AsType[*push.InvalidError](err); ok {
			b.answers[len(b.answers)-1].Job = invalid.Job
		}
		return
	}
	b.jobs, b.of = append(b.jobs, j), append(b.of, len(b.answers)-1)
}

// enqueue enqueues the lot and answers for it.
func (b *lot) enqueue(ctx context.Context, client Enqueuer, answer func([]Answer) error) error {
	for i, o := range client.EnqueueMany(ctx, b.jobs) {
		a := &b.answers[b.of[i]]
		a.Result, a.Err, a.Duplicate = o.Result, o.Err, errors.Is(o.Err, push.ErrDuplicate)
	}
	return answer(b.answers)
}

// readLots cuts the input into lots: full ones while lines keep coming, smaller
// ones when they stop for a moment.
func readLots(ctx context.Context, l *lines, out chan<- lot) {
	defer close(out)
	lines := make(chan numbered, 256)
	go readLines(ctx, l, lines)
	var b lot
	flush := func() {
		if len(b.answers) == 0 && b.err == nil {
			return
		}
		select {
		case out <- b:
		case <-ctx.Done():
		}
		b = lot{}
	}
	for {
		var pause <-chan time.Time
		if len(b.answers) > 0 {
			pause = time.After(idle)
		}
		select {
		case line, more := <-lines:
			if !more || line.err != nil {
				flush()
				b.err = line.err
				flush()
				return
			}
			b.add(line.n, line.text)
			if len(b.answers) == together {
				flush()
			}
		case <-pause:
			flush()
		case <-ctx.Done(): // the next line may never come
			return
		}
	}
}

type numbered struct {
	n    int
	text []byte
	err  error
}

func readLines(ctx context.Context, l *lines, out chan<- numbered) {
	defer close(out)
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		select {
		case out <- numbered{l.n, bytes.Clone(line), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// MarshalJSON writes the result, or {"job","error","field"} for a refused job.
func (a Answer) MarshalJSON() ([]byte, error) {
	if a.Err == nil {
		return json.Marshal(a.Result)
	}
	return json.Marshal(Refused(a.Job, a.Err))
}

// Refusal is a refused job as programs read it.
type Refusal struct {
	Job   string `json:"job"`
	Error string `json:"error"`
	Field string `json:"field"`
}

// Refused describes why a job was refused.
func Refused(job string, err error) Refusal {
	r := Refusal{Job: job, Error: err.Error()}
	var invalid *push.InvalidError
	if errors.As(err, &invalid) && len(invalid.Faults) > 0 {
		r.Field = invalid.Faults[0].Field
	}
	if errors.Is(err, push.ErrDuplicate) {
		r.Field = "id"
	}
	return r
}
