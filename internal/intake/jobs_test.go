package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push"
)

// fake is an Enqueuer that accepts every job once.
type fake struct {
	mu    sync.Mutex
	lots  []int // jobs that came together
	seen  map[string]bool
	fails map[string]error // by job
}

func (f *fake) EnqueueMany(_ context.Context, jobs []push.Job) []push.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lots = append(f.lots, len(jobs))
	out := make([]push.Outcome, len(jobs))
	for i, j := range jobs {
		out[i].Result = push.Result{Job: j.ID, Accepted: len(j.Targets["huawei"]), Refused: []push.Refusal{}, Chunks: 1}
		if f.seen[j.ID] {
			out[i].Err = fmt.Errorf("job %s: %w", j.ID, push.ErrDuplicate)
		}
		if err := f.fails[j.ID]; err != nil {
			out[i].Err = err
		}
		if f.seen == nil {
			f.seen = map[string]bool{}
		}
		f.seen[j.ID] = true
	}
	return out
}

// job is a line with a job.
func job(id string) string {
	return fmt.Sprintf(`{"id":%q,"app":"shop","message":{"title":"t","body":"b"},"targets":{"huawei":["t-%s"]}}`+"\n", id, id)
}

// answers runs Jobs to its end.
func answers(t *testing.T, r io.Reader, f *fake) ([]intake.Answer, error) {
	t.Helper()
	var all []intake.Answer
	err := intake.Jobs(t.Context(), r, f, func(a []intake.Answer) error {
		all = append(all, a...)
		return nil
	})
	return all, err
}

// said is an answer as a program reads it.
func said(t *testing.T, a intake.Answer) string {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryLineOfAStreamHasItsAnswerInOrder(t *testing.T) {
	t.Parallel()
	const n = 5000
	var b strings.Builder
	for i := range n {
		b.WriteString(job(fmt.Sprint(i)))
	}
	for form, text := range map[string]string{"plain": b.String(), "gzip": zipped(b.String())} {
		synctest.Test(t, func(t *testing.T) { // where no line comes too late for its lot
			f := &fake{}
			all, err := answers(t, strings.NewReader(text), f)
			if err != nil || len(all) != n {
				t.Fatalf("%s: got %d answers and %v, want %d", form, len(all), err, n)
			}
			for i, a := range all {
				if a.Line != i+1 || a.Job != fmt.Sprint(i) || a.Accepted != 1 || a.Err != nil {
					t.Fatalf("%s: answer %d is %+v", form, i, a)
				}
			}
			if want := []int{2000, 2000, 1000}; !slices.Equal(f.lots, want) {
				t.Errorf("%s: the jobs came in lots of %v, want %v", form, f.lots, want)
			}
		})
	}
}

func TestABadLineIsAnsweredInItsPlaceAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	text := "\ufeff" + job("first") + "\r\n" + job("refused") + "{\n\ufeff" + `{"id":"misspelt","ap":"shop"}` + "\r\n" + job("first") + "x\n" + job("last")
	f := &fake{fails: map[string]error{"refused": &push.InvalidError{Job: "refused", Faults: []push.Fault{{Field: "message.title", Reason: "is missing"}}}}}
	all, err := answers(t, strings.NewReader(text), f)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		line      int
		duplicate bool
		json      string
	}{
		{1, false, `{"job":"first","accepted":1,"refused":[],"chunks":1}`},
		{3, false, `{"job":"refused","error":"message.title: is missing","field":"message.title"}`},
		{4, false, `{"job":"","error":"is not a whole job: in --jobs one line is one job (NDJSON); --job takes one that goes over several lines","field":""}`},
		{5, false, `{"job":"misspelt","error":"ap: is not a field: see docs/job.md for those that are","field":"ap"}`},
		{6, true, `{"job":"first","error":"job first: duplicate job id","field":"id"}`},
		{7, false, `{"job":"","error":"is not JSON: invalid character 'x' looking for beginning of value at byte 1","field":""}`},
		{8, false, `{"job":"last","accepted":1,"refused":[],"chunks":1}`},
	}
	if len(all) != len(want) {
		t.Fatalf("got %d answers, want %d: %+v", len(all), len(want), all)
	}
	for i, w := range want {
		if a := all[i]; a.Line != w.line || a.Duplicate != w.duplicate || said(t, a) != w.json {
			t.Errorf("answer %d: got line %d, duplicate %v, %s\nwant line %d, duplicate %v, %s", i+1, a.Line, a.Duplicate, said(t, a), w.line, w.duplicate, w.json)
		}
	}
}

// It is told once, not for each of its lines, and the jobs around it go on.
func TestAJobThatSpansSeveralLinesIsRefusedOnce(t *testing.T) {
	t.Parallel()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(job("pretty")), "", "  "); err != nil {
		t.Fatal(err)
	}
	tabs := strings.ReplaceAll(pretty.String(), "  ", "\t")
	flat := strings.ReplaceAll(strings.ReplaceAll(pretty.String(), "{\n", "{"), "  ", "")
	for name, c := range map[string]struct {
		text string
		want []int // lines that are answered with a refusal
		jobs int
	}{
		"by itself":                   {pretty.String(), []int{1}, 0},
		"twice":                       {pretty.String() + tabs, []int{1, 14}, 0},
		"between others":              {job("a") + pretty.String() + job("b"), []int{2}, 2},
		"without indents":             {flat + job("b"), []int{1}, 1},
		"a line that breaks off":      {`{"id":"half","app":` + "\n" + job("b") + job("c"), []int{1}, 2},
		"a line with blanks before":   {"  " + job("a") + "\t" + job("b"), nil, 2},
		"a line that is no object":    {"\"x\"\n}\n" + job("b"), []int{1, 2}, 1},
		"one that ends in the middle": {strings.Join(strings.SplitAfter(pretty.String(), "\n")[:5], ""), []int{1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := answers(t, strings.NewReader(c.text), &fake{})
			if err != nil {
				t.Fatal(err)
			}
			var refused []int
			for _, a := range all {
				if a.Err != nil {
					refused = append(refused, a.Line)
				}
			}
			if !slices.Equal(refused, c.want) || len(all)-len(refused) != c.jobs {
				t.Errorf("refused are the lines %v and %d jobs went on, want %v and %d: %+v", refused, len(all)-len(refused), c.want, c.jobs, all)
			}
		})
	}
}

func TestAListInsteadOfLinesIsRefusedWhole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\n[\n" + job("a") + ",\n" + job("b") + "]\n", "\n[" + job("a") + "]"} {
		all, err := answers(t, strings.NewReader(text), &fake{})
		if len(all) > 0 || err == nil || !strings.HasPrefix(err.Error(), "line 2: is the beginning of a list: in --jobs one line is one job") {
			t.Errorf("got %d answers and %v", len(all), err)
		}
	}
}

func TestAStreamThatPausesIsAnsweredSoFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		start := time.Now()
		lots := make(chan string, 9)
		ended := make(chan error, 1)
		go func() {
			ended <- intake.Jobs(t.Context(), r, &fake{}, func(a []intake.Answer) error {
				lots <- fmt.Sprintf("%d after %v", len(a), time.Since(start))
				return nil
			})
		}()
		_, _ = io.WriteString(w, job("1")+job("2"))
		synctest.Wait()
		if len(lots) != 0 {
			t.Fatalf("got %s at once, want nothing before the stream pauses", <-lots)
		}
		<-time.After(time.Second)
		_, _ = io.WriteString(w, job("3"))
		<-time.After(time.Second)
		_ = w.Close()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"2 after 20ms", "1 after 1.02s"} {
			if got := <-lots; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestASilentStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- intake.Jobs(ctx, r, &fake{}, func([]intake.Answer) error { return nil })
		}()
		_, _ = io.WriteString(w, job("1"))
		synctest.Wait() // until it waits for more
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want canceled", err)
			}
		default:
			t.Error("it waits for the next line, want it to end")
		}
		_ = w.Close()
	})
}

func TestAStreamThatBreaksOffIsAnsweredUpToThere(t *testing.T) {
	t.Parallel()
	whole := zipped(job("1") + job("2"))
	for _, c := range []struct{ name, text, want string }{
		{"in gzip", whole[:len(whole)-4], "line 3: the gzip stream breaks off"},
		{"in a job without end", job("1") + job("2") + strings.Repeat("x", 65<<20), "line 3: is longer than 67108864 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all, err := answers(t, strings.NewReader(c.text), &fake{})
			if !errors.As(err, new(*intake.LineError)) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if len(all) != 2 || all[1].Job != "2" {
				t.Errorf("got answers %+v, want those of two jobs", all)
			}
		})
	}
}

func TestAStreamThatIsNotTextIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"UTF-16":        {"\xff\xfe{\x00", "is UTF-16: save it as UTF-8"},
		"an Excel file": {"PK\x03\x04", "is a zip archive or an Excel file: unpack it, or save the sheet as CSV in UTF-8"},
	} {
		if all, err := answers(t, strings.NewReader(c.text), &fake{}); err == nil || err.Error() != c.want || len(all) != 0 {
			t.Errorf("%s: got %v and %v, want %s", name, all, err, c.want)
		}
	}
}

func TestReadAllReadsGzipAndRefusesWhatIsNoText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"plain": job("1"), "gzip": zipped(job("1")), "empty": ""} {
		want := job("1")
		if text == "" {
			want = ""
		}
		if got, err := intake.ReadAll(strings.NewReader(text)); err != nil || string(got) != want {
			t.Errorf("%s: got %q and %v", name, got, err)
		}
	}
	for want, text := range map[string]string{
		"is UTF-16: save it as UTF-8":     "\xff\xfe{\x00",
		"the gzip stream breaks off":      zipped(job("1"))[:30],
		"is longer than 67108864 bytes":   strings.Repeat("x", 64<<20+1),
		"read gzip: gzip: invalid header": "\x1f\x8bnot really",
	} {
		_, err := intake.ReadAll(strings.NewReader(text))
		if !errors.As(err, new(*intake.LineError)) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAnEmptyStreamHasNoAnswers(t *testing.T) {
	t.Parallel()
	f := &fake{}
	all, err := answers(t, strings.NewReader("\n \r\n\n"), f)
	if err != nil || len(all) != 0 || len(f.lots) != 0 {
		t.Errorf("got %v, %v and lots %v, want nothing", all, err, f.lots)
	}
}

func TestAnErrorOfAnswerEndsTheStream(t *testing.T) {
	t.Parallel()
	closed := errors.New("stdout is closed")
	f := &fake{}
	text := strings.Repeat(job("1"), 10_000)
	calls := 0
	err := intake.Jobs(t.Context(), strings.NewReader(text), f, func([]intake.Answer) error { calls++; return closed })
	if !errors.Is(err, closed) || calls != 1 || len(f.lots) != 1 {
		t.Errorf("got %v after %d calls and %d lots, want the error after one", err, calls, len(f.lots))
	}
}

func TestRefusedNamesTheField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"the first of a job's faults", &push.InvalidError{Faults: []push.Fault{{Field: "app", Reason: "is missing"}, {Field: "targets"}}}, "app"},
		{"of a fault at a line", &intake.LineError{Line: 3, Err: &push.InvalidError{Faults: []push.Fault{{Field: "targets.x"}}}}, "targets.x"},
		{"of a duplicate", fmt.Errorf("job a: %w", push.ErrDuplicate), "id"},
		{"of nothing that the user wrote", errors.New("redis is away"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := intake.Refused("a", c.err); got.Field != c.want || got.Job != "a" || got.Error != c.err.Error() {
				t.Errorf("got %+v, want field %s", got, c.want)
			}
		})
	}
}

func FuzzJobs(f *testing.F) {
	f.Add([]byte(job("1") + "\n" + job("1") + "{}\r\n"))
	f.Add([]byte(zipped(job("1") + "x")))
	f.Add([]byte(zipped(job("1"))[:20]))
	f.Add([]byte("\ufeff{\"targets\":{\"huawei\":[\"\xff\"]}}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := strings.Split(unzipped(in), "\n")
		last := 0
		err := intake.Jobs(t.Context(), strings.NewReader(string(in)), &fake{}, func(all []intake.Answer) error {
			for _, a := range all {
				if a.Line <= last || a.Line > len(lines) || strings.TrimSpace(lines[a.Line-1]) == "" {
					t.Errorf("line %d was answered after line %d of %d", a.Line, last, len(lines))
				}
				last = a.Line
				if !json.Valid([]byte(said(t, a))) {
					t.Errorf("line %d was answered with %s", a.Line, said(t, a))
				}
			}
			return nil
		})
		if err != nil && !errors.As(err, new(*intake.LineError)) {
			t.Fatalf("got %v, want a line", err)
		}
	})
}
