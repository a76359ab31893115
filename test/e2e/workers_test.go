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

// presented counts how often each token's chunk, named by its first token, came
// to the simulator.
func (st *stage) presented() map[string]int {
	times := map[string]int{}
	for _, s := range st.pick(func(s sent) bool { return s.first != "" }) {
		times[s.first]++
	}
	return times
}

// answersLate has the vendor answer so long after it accepted the tokens.
func (st *stage) answersLate(d time.Duration) {
	st.Helper()
	st.misbehave(simulator.Fault{Endpoint: "send", Accept: true, Delay: simulator.Duration(d)})
}

// TestOneOfFiveWorkersIsKilled kills a worker with 64 requests in flight. Each of
// the four others sees that, and one of them acts: no run of a live worker is
// fenced, so nothing is sent twice but what was in flight.
func TestOneOfFiveWorkersIsKilled(t *testing.T) {
	t.Parallel()
	const chunks, inFlight = 200, 64
	st := newStage(t, settings, simulator.Options{})
	st.answersLate(3 * time.Second)
	first := st.worker()
	st.enqueueMany("job", chunks*1000)
	st.await("64 requests in flight", func() bool { return st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:normal")).Val() >= inFlight })
	for range 4 {
		st.worker()
	}
	if err := first.stop(syscall.SIGKILL); err == nil {
		t.Fatal("the worker ended well, want it killed")
	}
	killed, before := time.Now(), st.status("job").Delivered
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	twice, more := 0, 0
	for _, n := range st.presented() {
		switch {
		case n == 2:
			twice++
		case n > 2:
			more++
		}
	}
	t.Logf("%d chunks were delivered when it was killed; %d came twice; done %.1f s later", before/1000, twice, time.Since(killed).Seconds())
	if st := st.status("job"); st.Delivered != chunks*1000 || more > 0 || twice > inFlight {
		t.Errorf("%+v; %d chunks came twice, %d more often; want %d at most, and none", st, twice, more, inFlight)
	}
}

// TestFourKillsPoisonNothing kills four workers one after another, each with the
// same tasks in work: none of them is to be taken for what killed them.
func TestFourKillsPoisonNothing(t *testing.T) {
	t.Parallel()
	const chunks = 64
	st := newStage(t, settings, simulator.Options{})
	st.answersLate(6 * time.Second)
	st.enqueueMany("job", chunks*1000)
	for range 4 {
		w := st.worker()
		began := len(st.accepted())
		st.await("requests in flight", func() bool {
			return len(st.accepted()) > began || st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:normal")).Val() > 0
		})
		st.until(time.Now().Add(time.Second))
		if err := w.stop(syscall.SIGKILL); err == nil {
			t.Fatal("the worker ended well, want it killed")
		}
	}
	st.worker()
	begin := time.Now()
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	got := st.status("job")
	t.Logf("after four kills the job was done %.1f s later: %d delivered, %d dead", time.Since(begin).Seconds(), got.Delivered, got.Dead)
	if got.Delivered != chunks*1000 || st.rdb.XLen(t.Context(), wire.DeadStream).Val() != 0 {
		t.Errorf("got %+v, want each token delivered and no dead letter", got)
	}
}

// TestAWorkerThatIsFrozen stops a worker for 20 s with requests in flight: its
// tasks run elsewhere meanwhile, and when it wakes up it leaves those runs alone.
func TestAWorkerThatIsFrozen(t *testing.T) {
	t.Parallel()
	const chunks = 100
	st := newStage(t, settings, simulator.Options{})
	st.answersLate(time.Second)
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
	st.until(time.Now().Add(3 * time.Second)) // what the woken worker may still send
	most := 0
	for _, n := range st.presented() {
		most = max(most, n)
	}
	got := st.status("job")
	t.Logf("delivered %d; no token came more than %d times", got.Delivered, most)
	if got.Delivered != chunks*1000 || most > 2 {
		t.Errorf("got %+v, and a token came %d times, want each delivered and twice at most", got, most)
	}
}

// TestASecondSignalEndsAWorkerAtOnce has a request open that the worker would wait for.
func TestASecondSignalEndsAWorkerAtOnce(t *testing.T) {
	t.Parallel()
	st := newStage(t, settings, simulator.Options{})
	st.answersLate(9 * time.Second)
	w := st.worker()
	st.send("shop", "token-of-a-phone")
	st.await("a request in flight", func() bool { return st.rdb.LLen(t.Context(), wire.ActiveKey("huawei:high")).Val() > 0 })
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.await("stopping: what is in flight")
	st.until(time.Now().Add(200 * time.Millisecond)) // as no person is quicker
	begin := time.Now()
	err := w.stop(syscall.SIGTERM)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the worker ended %v after the second signal", took)
	}
	exit, ok := err.(*exec.ExitError)                                       //nolint:errorlint // Wait returns it bare
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM { //nolint:forcetypeassert // on Unix it is one
		t.Errorf("it ended with %v, want by the signal", fmt.Sprint(err))
	}
}
