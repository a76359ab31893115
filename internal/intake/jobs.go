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
	// longestJob is the most bytes of one job of a stream; larger jobs need a targets file.
	longestJob = 64 << 20
	// together is how many jobs are enqueued at once, and idle how long an incomplete
	// batch waits for the next line.
	together = 2000
	idle     = 20 * time.Millisecond
)

// Answer is one line of the result of a job stream: the job's result, or why it was
// refused.
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

// Jobs reads NDJSON, one whole job a line, enqueues the jobs as they are read and calls
// answer with the lines that were enqueued together, in order. Blank lines are skipped.
// A line that is not a job is answered like a refused one, and so is the first line of
// a job that spans several lines: the others are skipped. Only an error of the input
// itself, a list instead of lines, or an error of answer ends it with an error.
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

// lot is jobs that are enqueued at once.
type lot struct {
	answers []Answer
	jobs    []push.Job
	of      []int // for each job, the index of its answer
	err     error
}

// add adds a line and reports whether it is the first line of a job that spans several
// lines.
func (b *lot) add(n int, line []byte) (cut bool) {
	j, err := push.DecodeJob(line)
	b.answers = append(b.answers, Answer{Line: n, Err: err, Result: push.Result{Job: j.ID}})
	if err != nil {
		if invalid, ok := errors.AsType[*push.InvalidError](err); ok {
			b.answers[len(b.answers)-1].Job = invalid.Job
		}
		if cut = breaksOff(line); cut {
			b.answers[len(b.answers)-1].Err = &push.InvalidError{Faults: []push.Fault{{Reason: overLines}}}
		}
		return cut
	}
	b.jobs, b.of = append(b.jobs, j), append(b.of, len(b.answers)-1)
	return false
}

const (
	overLines = "is not a whole job: in --jobs one line is one job (NDJSON); --job takes one that goes over several lines"
	aList     = "is the beginning of a list: in --jobs one line is one job (NDJSON), without brackets and commas around it"
)

// breaksOff reports whether a line is the beginning of a JSON object.
func breaksOff(line []byte) bool {
	line = bytes.TrimSpace(line)
	var whole json.RawMessage
	syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(line, &whole))
	return ok && line[0] == '{' && int(syntax.Offset) == len(line) && syntax.Error() == "unexpected end of JSON input"
}

// goesOn reports whether a line looks like the continuation of a job that spans several
// lines: no line of NDJSON begins like this.
func goesOn(line []byte) bool { return bytes.ContainsAny(line[:1], " \t\"}]") }

// enqueue enqueues the lot and answers its lines.
func (b *lot) enqueue(ctx context.Context, client Enqueuer, answer func([]Answer) error) error {
	for i, o := range client.EnqueueMany(ctx, b.jobs) {
		a := &b.answers[b.of[i]]
		a.Result, a.Err, a.Duplicate = o.Result, o.Err, errors.Is(o.Err, push.ErrDuplicate)
	}
	return answer(b.answers)
}

// readLots divides the input into lots: full ones while lines keep coming, smaller ones
// when there is no line for a moment.
func readLots(ctx context.Context, l *lines, out chan<- lot) {
	defer close(out)
	lines := make(chan numbered, 256)
	go readLines(ctx, l, lines)
	var b lot
	first, cut := true, false
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
			if first && bytes.HasPrefix(bytes.TrimSpace(line.text), []byte("[")) {
				b.err = &LineError{line.n, errors.New(aList)}
				flush()
				return
			}
			if cut && goesOn(line.text) {
				continue // it belongs to a job that was refused
			}
			first, cut = false, b.add(line.n, line.text)
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
