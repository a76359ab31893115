package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// sweep settles the canceled chunks of a lane's tasks as a worker would, and
// removes the tasks.
func (d *deployment) sweep(t *testing.T, lane string) {
	t.Helper()
	book := ledger.Store{Redis: d.rdb}
	for _, h := range d.tasks(t, lane) {
		o, err := book.Load(t.Context(), h)
		if err != nil || o == nil {
			t.Fatalf("load %s: %v", h.Chunk, err)
		}
		s := &ledger.Step{Ref: o.Ref, Done: true}
		for i, e := range o.Chunk.Entries {
			if !o.Canceled[i] {
				t.Fatalf("the chunk of %s is not marked canceled when it is loaded", e.Job)
			}
			s.Jobs = append(s.Jobs, ledger.JobStep{Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{wire.Canceled: len(e.Tokens)}})
		}
		if ok, err := book.Settle(t.Context(), []*ledger.Step{s}); err != nil || !ok[0] {
			t.Fatalf("settle: %v, %v", ok, err)
		}
	}
	d.rdb.Del(t.Context(), wire.PendingKey(lane))
}

func TestCancelEndsAJob(t *testing.T) {
	t.Parallel()
	for name, send := range map[string][]string{
		"one token":   notification("--target", "huawei:t1", "--id", "a"),
		"many tokens": notification("--targets", "-", "--id", "a"),
		"in an hour":  notification("--targets", "-", "--id", "a", "--at", "1h"),
		"one later":   notification("--target", "huawei:t1", "--id", "a", "--at", "1h"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			n := d.runOK(t, csv(25), send...)["accepted"].(float64)
			for range 2 { // canceling again has the same result
				got := d.runOK(t, "", "cancel", "a")
				wantKeys(t, got, statusKeys...)
				if got["job"] != "a" || got["state"] != "canceled" || got["pending"] != n {
					t.Errorf("got %v, want it canceled with %v pending", got, n)
				}
			}
			d.sweep(t, "huawei:normal")
			got := d.runOK(t, "", "status", "a")
			if got["state"] != "canceled" || got["canceled"] != n || got["pending"] != 0.0 {
				t.Errorf("got %v, want %v canceled", got, n)
			}
			d.runOK(t, "", "cancel", "a")
		})
	}
}

func TestCancelRefusesAJobThatIsFinishedOrUnknown(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, csv(3), notification("--targets", "-", "--id", "done")...)
	d.endJob(t, "done", map[string]any{"delivered": 3})
	for job, want := range map[string]string{
		"done":   "enqueue: cancel job done: the job is finished\n",
		"nobody": "enqueue: cancel job nobody: no such job\n",
	} {
		got := d.run(t, "", "cancel", job, "--json")
		if got.code != exitFailed || got.err != want {
			t.Errorf("exit %d, %s, want 1 and %s", got.code, got.err, want)
		}
		wantKeys(t, object(t, got.out), "job", "error", "field")
	}
	if got := d.runOK(t, "", "status", "done"); got["state"] != "done" {
		t.Errorf("the finished job is %v", got)
	}
}

func TestAJobCanBeCanceledWhileItIsEnqueued(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	in, out := io.Pipe()
	done, canceled := make(chan result, 1), make(chan struct{})
	go func() {
		done <- d.runWith(context.Background(), in, notification("--targets", "-", "--id", "a")...)
		_ = in.Close() // ends a write that is still blocked
	}()
	go func() {
		_, _ = io.WriteString(out, csv(100_000))
		<-canceled
		_ = out.Close()
	}()
	d.waitUntil(t, func() bool { return d.rdb.Exists(t.Context(), wire.JobKey("a")).Val() == 1 })
	first := d.runOK(t, "", "cancel", "a")
	close(canceled)
	got := <-done
	if got.code != exitDuplicate || !strings.HasSuffix(got.err, "job a: duplicate job id: that job was canceled\n") {
		t.Errorf("exit %d, %s, want 3 and an error that says the job was canceled", got.code, got.err)
	}
	st := d.runOK(t, "", "status", "a")
	if first["accepted"] != first["canceled"] || st["state"] != "canceled" || st["canceled"] != st["accepted"] || st["pending"] != 0.0 {
		t.Errorf("canceled with %v, ended with %v, want all canceled", first, st)
	}
	if keys := d.rdb.Keys(t.Context(), "*").Val(); len(keys) != 2 {
		t.Errorf("redis holds %q, want only the ledger and the list of jobs", keys)
	}
}

func TestCancelPrintsTheLedger(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, csv(3), notification("--targets", "-", "--id", "a")...)
	got := d.run(t, "", "cancel", "a")
	if words := strings.Join(strings.Fields(got.out), " "); got.code != 0 || !strings.HasPrefix(words, "job a of app shop: canceled accepted 3") {
		t.Errorf("exit %d, %s%s", got.code, got.err, got.out)
	}
	again := d.run(t, "", notification("--target", "huawei:t1", "--id", "a")...)
	if again.code != exitDuplicate || again.err != "enqueue: job a: duplicate job id: that job was canceled\n" {
		t.Errorf("exit %d, %s", again.code, again.err)
	}
}

// --wait of a canceled job ends like that of any job with undelivered tokens.
func TestWaitEndsWhenTheJobIsCanceled(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	done := make(chan result, 1)
	go func() {
		done <- d.runWith(context.Background(), strings.NewReader(""), notification("--target", "huawei:t1", "--id", "a", "--wait", "--json")...)
	}()
	d.waitUntil(t, func() bool { return len(d.tasks(t, "huawei:normal")) == 1 })
	d.runOK(t, "", "cancel", "a")
	d.sweep(t, "huawei:normal")
	select {
	case got := <-done:
		if got.code != exitNotDelivered {
			t.Errorf("exit %d, %s, want 4", got.code, got.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("--wait did not end within 20 s")
	}
}
