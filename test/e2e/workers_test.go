package e2e

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push/wire"
)

// requestsPerChunk counts the requests with each chunk, by the chunk's first token.
func (st *watchedRig) requestsPerChunk() map[string]int {
	times := map[string]int{}
	for _, s := range st.pick(func(s sent) bool { return s.first != "" }) {
		times[s.first]++
	}
	return times
}

// answerLate makes the vendor answer d after it has accepted the tokens.
func (st *watchedRig) answerLate(d time.Duration) {
	st.Helper()
	st.setFaults(simulator.Fault{Endpoint: "send", Accept: true, Delay: simulator.Duration(d)})
}

// TestOneOfFiveWorkersIsKilled kills a worker with 64 requests in flight. Each of the
// four others notices it, and only one takes the tasks over: no run of a live worker is
// fenced, so only tokens in flight are sent twice.
func TestOneOfFiveWorkersIsKilled(t *testing.T) {
	t.Parallel()
	const chunks, inFlight = 200, 64
	st := newWatchedRig(t, settings, simulator.Options{})
	st.answerLate(3 * time.Second)
	first := st.worker()
	st.enqueueMany("job", chunks*1000)
	st.await("64 requests in flight", func() bool { return st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:normal")).Val() >= inFlight })
	for range 4 {
		st.worker()
	}
	if err := first.stop(syscall.SIGKILL); err == nil {
		t.Fatal("the worker ended with exit code 0, want it killed")
	}
	killed, before := time.Now(), st.status("job").Delivered
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	twice, more := 0, 0
	for _, n := range st.requestsPerChunk() {
		switch {
		case n == 2:
			twice++
		case n > 2:
			more++
		}
	}
	t.Logf("%d chunks were delivered when it was killed; %d were sent twice; the job ended %.1f s later", before/1000, twice, time.Since(killed).Seconds())
	if st := st.status("job"); st.Delivered != chunks*1000 || more > 0 || twice > inFlight {
		t.Errorf("%+v; %d chunks were sent twice, %d more often; want at most %d, and none", st, twice, more, inFlight)
	}
}

// TestFourKillsPoisonNothing kills four workers one after another while they run the
// same tasks: no task may be treated as poison.
func TestFourKillsPoisonNothing(t *testing.T) {
	t.Parallel()
	const chunks = 64
	st := newWatchedRig(t, settings, simulator.Options{})
	st.answerLate(6 * time.Second)
	st.enqueueMany("job", chunks*1000)
	for range 4 {
		w := st.worker()
		began := len(st.accepted())
		st.await("requests in flight", func() bool {
			return len(st.accepted()) > began || st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:normal")).Val() > 0
		})
		st.until(time.Now().Add(time.Second))
		if err := w.stop(syscall.SIGKILL); err == nil {
			t.Fatal("the worker ended with exit code 0, want it killed")
		}
	}
	st.worker()
	begin := time.Now()
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	got := st.status("job")
	t.Logf("the job ended %.1f s after the fourth kill: %d delivered, %d dead", time.Since(begin).Seconds(), got.Delivered, got.Dead)
	if got.Delivered != chunks*1000 || st.rdb.XLen(t.Context(), wire.DeadStream).Val() != 0 {
		t.Errorf("got %+v, want each token delivered and no dead letter", got)
	}
}

// TestAWorkerThatIsFrozen freezes a worker for 20 s with requests in flight: another
// worker runs its tasks, and the thawed worker does not interfere with those runs.
func TestAWorkerThatIsFrozen(t *testing.T) {
	t.Parallel()
	const chunks = 100
	st := newWatchedRig(t, settings, simulator.Options{})
	st.answerLate(time.Second)
	frozen := st.worker()
	st.enqueueMany("job", chunks*1000)
	st.await("requests in flight", func() bool {
		return len(st.accepted()) > 0 || st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:normal")).Val() > 32
	})
	st.worker()
	begin := time.Now()
	if err := frozen.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	st.until(begin.Add(20 * time.Second))
	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	st.until(time.Now().Add(3 * time.Second)) // the thawed worker may still send something
	most := 0
	for _, n := range st.requestsPerChunk() {
		most = max(most, n)
	}
	got := st.status("job")
	t.Logf("delivered %d; no token was sent more than %d times", got.Delivered, most)
	if got.Delivered != chunks*1000 || most > 2 {
		t.Errorf("got %+v, and a token was sent %d times, want each delivered and sent at most twice", got, most)
	}
}

// TestASecondSignalEndsAWorkerAtOnce has a request in flight, for which the worker waits after the first signal.
func TestASecondSignalEndsAWorkerAtOnce(t *testing.T) {
	t.Parallel()
	st := newWatchedRig(t, settings, simulator.Options{})
	st.answerLate(9 * time.Second)
	w := st.worker()
	st.send("shop", "token-of-a-phone")
	st.await("a request in flight", func() bool { return st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:high")).Val() > 0 })
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.await("stopping: requests in flight")
	st.until(time.Now().Add(200 * time.Millisecond)) // so that the process handles the first signal
	begin := time.Now()
	err := w.stop(syscall.SIGTERM)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the worker ended %v after the second signal", took)
	}
	exit, ok := err.(*exec.ExitError) //nolint:errorlint // Wait returns it bare
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the worker ended with %v, want it ended by the signal", fmt.Sprint(err))
	}
}
