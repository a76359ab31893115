package dispatch_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Whatever the vendor answers, wherever workers crash or freeze, and however often
// two workers get the same task: every token ends in exactly one outcome, the
// ledger balances at every step, no token is sent after its final answer, and no
// token of an at-most-once job is sent after an answer that leaves its outcome
// unknown.
func TestEveryTokenEndsOnceWhateverHappens(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // not on the command line
		if err := f.Value.Set("10000"); err != nil { // rapid runs a fifth of them with -short
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Value.Set(f.DefValue) }) // other tests have fewer
	}
	happened := &tally{}
	rapid.Check(t, func(rt *rapid.T) {
		// Each script has a bubble of its own. rapid ends a script by a panic, which it must see outside the bubble.
		var end any
		synctest.Test(t, func(*testing.T) {
			defer func() { end = recover() }()
			script(rt, happened)
		})
		if end != nil {
			panic(end)
		}
	})
	if !t.Failed() {
		happened.want(t)
	}
}

// tally counts what happened in all scripts: a property that is never tested
// always holds.
type tally struct {
	mu      sync.Mutex
	n       map[string]int
	scripts int
}

func (l *tally) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == nil {
		l.n = map[string]int{}
	}
	l.n[what]++
}

const (
	handedTwice  = "a task at two workers"
	woken        = "a frozen worker that goes on"
	recordedLate = "a record that comes too late"
	joined       = "tasks that share a request"
	parked       = "a job that is parked"
)

// want checks that everything happened at least once in two hundred scripts.
func (l *tally) want(t *testing.T) {
	t.Helper()
	least := l.scripts / 200
	all := []string{handedTwice, woken, recordedLate, joined, parked}
	for _, o := range wire.Outcomes() {
		all = append(all, string(o))
	}
	for _, code := range append(answers(), "gone", "off", "region", "4711") {
		all = append(all, "answer "+code)
	}
	for _, what := range all {
		if l.n[what] < least {
			t.Errorf("%s: %d times in %d scripts, want at least %d", what, l.n[what], l.scripts, least)
		}
	}
	t.Log(l.n)
}

// taskRun is a task that is being worked or waits for its next run.
type taskRun struct {
	task
	due  time.Time
	done bool
}

// run is a task at a worker.
type run struct {
	host *faulty
	ride *taskRun
	done chan error
}

func script(t *rapid.T, happened *tally) {
	w := newWorld(t)
	w.tally = happened
	happened.scripts++
	rides := w.enqueue(t)
	linger := time.Duration(rapid.IntRange(0, 1).Draw(t, "linger")) * 5 * time.Millisecond
	rough := rapid.IntRange(1, 6).Draw(t, "rough rounds")
	defer w.over()
	var frozen []*faulty
	for round := 0; ; round++ {
		due := next(rides)
		if len(due) == 0 {
			break
		}
		if round > 60 {
			t.Fatalf("%d tasks do not end", len(due))
		}
		w.setCalm(round >= rough)
		w.cancel()
		hosts := w.hosts(linger)
		runs := w.begin(hosts, due)
		for _, h := range frozen {
			h.goOn() // beside the workers that took its tasks over
			w.note(woken)
		}
		frozen = w.await(t, runs)
		if why := append(w.complaints(), w.memory.complaints()...); len(why) > 0 {
			t.Fatalf("round %d: %q", round, why)
		}
	}
	w.over()
	w.judge(t)
}

// over ends every run that hangs.
func (w *world) over() {
	select {
	case <-w.end:
	default:
		close(w.end)
	}
	w.running.Wait()
}

func newWorld(t *rapid.T) *world {
	seed := rapid.Uint64().Draw(t, "seed")
	return &world{
		memory: newMemoryBook(), codes: classify.MustParse("nova", table), end: make(chan struct{}),
		rnd: rand.New(rand.NewPCG(seed, 1)), multi: rapid.IntRange(0, 3).Draw(t, "multi") == 0, batch: rapid.IntRange(2, 6).Draw(t, "batch"),
		canceled: map[string]time.Time{}, atMost: map[string]bool{}, doubt: map[string]bool{}, accepted: map[string]bool{}, gone: map[string]bool{}, parked: map[string]time.Time{},
	}
}

// enqueue stores chunks of jobs of all kinds.
func (w *world) enqueue(t *rapid.T) []*taskRun {
	var rides []*taskRun
	jobs := 0
	for i := range rapid.IntRange(1, 5).Draw(t, "chunks") {
		c := wire.Chunk{Messages: []string{message("one"), message("two")}}
		jobsOf, tokensOf := 3, 4
		if rapid.Bool().Draw(t, "small") { // shares requests with others
			jobsOf, tokensOf = 1, 1
		}
		for range rapid.IntRange(1, jobsOf).Draw(t, "jobs") {
			jobs++
			e := wire.Entry{
				Job: fmt.Sprint("job-", jobs), AtMostOnce: rapid.IntRange(0, 2).Draw(t, "at most once") == 0,
				Start: time.Now().UnixMilli(), Expires: time.Now().Add(time.Duration(rapid.SampledFrom([]int{1, 100, 100_000}).Draw(t, "expires")) * time.Second).UnixMilli(),
				Message: rapid.IntRange(0, 1).Draw(t, "message"),
			}
			for k := range rapid.IntRange(1, tokensOf).Draw(t, "tokens") {
				e.Tokens = append(e.Tokens, fmt.Sprintf("%s-token-%d", e.Job, k))
				w.atMost[e.Tokens[k]] = e.AtMostOnce
			}
			e.Single = len(e.Tokens) == 1
			c.Entries = append(c.Entries, e)
		}
		lane := wire.Lane("nova", string(rapid.SampledFrom(push.Priorities()).Draw(t, "priority")))
		rides = append(rides, &taskRun{task: w.memory.add(fmt.Sprintf("{chunk-%d}", i), lane, c), due: time.Now()})
	}
	return rides
}

func message(title string) string { return `{"title":"` + title + `","body":"body"}` }

// next waits until a task is due and returns those that are.
func next(rides []*taskRun) []*taskRun {
	var first *taskRun
	for _, r := range rides {
		if !r.done && (first == nil || r.due.Before(first.due)) {
			first = r
		}
	}
	if first == nil {
		return nil
	}
	<-time.After(time.Until(first.due))
	var due []*taskRun
	for _, r := range rides {
		if !r.done && !r.due.After(time.Now()) {
			due = append(due, r)
		}
	}
	return due
}

func (w *world) setCalm(calm bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = calm
}

// cancel cancels a job now and then.
func (w *world) cancel() {
	if !w.chance(10) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprint("job-", 1+w.rnd.IntN(len(w.memory.jobs)))
	if _, again := w.canceled[id]; !again {
		w.memory.cancel(id)
		w.canceled[id] = time.Now()
	}
}

func (w *world) complaints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.faults...)
}

// hosts are this round's workers; some of them will stop.
func (w *world) hosts(linger time.Duration) []*faulty {
	all := make([]*faulty, 2)
	for i := range all {
		stop := 0
		if w.chance(2) {
			w.mu.Lock()
			stop = 1 + w.rnd.IntN(12)
			w.mu.Unlock()
		}
		all[i] = w.host(stop, linger)
	}
	return all
}

// begin gives the tasks to workers, some of them to two.
func (w *world) begin(hosts []*faulty, due []*taskRun) []*run {
	var runs []*run
	for i, r := range due {
		runs = append(runs, w.run(hosts[i%len(hosts)], r))
		if w.chance(5) {
			runs = append(runs, w.run(hosts[(i+1)%len(hosts)], r))
			w.note(handedTwice)
		}
	}
	return runs
}

func (w *world) run(h *faulty, r *taskRun) *run {
	done := make(chan error, 1)
	w.running.Go(func() { done <- h.d.Handle(context.Background(), r.lane, r.Task) })
	return &run{h, r, done}
}

// await does what asynq does: it acknowledges, puts back or, if a worker no longer
// shows any sign of life, gives its tasks to others. It returns the workers that
// go on later.
func (w *world) await(t *rapid.T, runs []*run) []*faulty {
	var frozen []*faulty
	seen := map[*faulty]bool{}
	limit := time.NewTimer(30 * time.Minute) // over every wait within a run
	defer limit.Stop()
	for _, r := range runs {
		select {
		case err := <-r.done:
			w.verdict(t, r, err)
			continue
		default:
		}
		select {
		case err := <-r.done:
			w.verdict(t, r, err)
		case <-limit.C:
			limit.Reset(0)
			if !r.host.isStopped() {
				t.Fatalf("task %s hangs though its worker runs", r.ride.ID)
			}
			if !seen[r.host] && w.chance(2) {
				frozen = append(frozen, r.host)
			}
			seen[r.host] = true
		}
	}
	return frozen
}

// verdict is what a run returns to asynq.
func (w *world) verdict(t *rapid.T, r *run, err error) {
	var again *queue.AgainError
	var dead *queue.DeadError
	switch {
	case errors.As(err, &again):
		r.ride.due = again.At
	case err == nil, errors.As(err, &dead):
		if w.memory.left(r.ride.ID) {
			t.Fatalf("task %s is acknowledged with %v before its result is recorded", r.ride.ID, err)
		}
		r.ride.done = true
	default: // Redis was away
		r.ride.due = time.Now().Add(time.Second)
	}
}

// judge checks the state at the end.
func (w *world) judge(t *rapid.T) {
	for id, j := range w.memory.jobs {
		sum := 0
		for _, o := range wire.Outcomes() {
			sum += j.outcomes[o]
		}
		if sum != j.accepted {
			t.Errorf("job %s: %d tokens, outcomes %v", id, j.accepted, j.outcomes)
		}
	}
	for ref := range w.memory.chunks {
		t.Errorf("chunk %s remains", ref)
	}
	delivered, invalid := 0, 0
	for _, j := range w.memory.jobs {
		for o := range j.outcomes {
			w.note(string(o))
		}
		delivered += j.outcomes[wire.Delivered]
		invalid += j.outcomes[wire.Invalid]
	}
	if delivered > len(w.accepted) || invalid > len(w.gone) {
		t.Errorf("%d delivered and %d invalid, but the vendor accepted %d and called %d invalid", delivered, invalid, len(w.accepted), len(w.gone))
	}
	if why := append(w.complaints(), w.memory.complaints()...); len(why) > 0 {
		t.Errorf("%q", why)
	}
}
