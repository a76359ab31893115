package redistest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestEveryClientHasItsOwnEmptyDatabase(t *testing.T) {
	t.Parallel()
	a, b := redistest.Client(t), redistest.Client(t)
	if err := a.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := b.DBSize(t.Context()).Val(); got != 0 {
		t.Errorf("the other database has %d keys, want 0", got)
	}
	opt, err := redis.ParseURL(redistest.URL(a))
	if err != nil || opt.Addr != a.Options().Addr || opt.DB != a.Options().DB {
		t.Errorf("URL %s reads as %v, %v", redistest.URL(a), opt, err)
	}
}

func TestRestartKeepsTheDataOfAnAppendOnlyServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		opts []redistest.Option
		want int64
	}{
		{"append only", []redistest.Option{redistest.AppendOnly()}, 1},
		{"no persistence", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, c.opts...)
			client := s.Client(t)
			if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			s.Restart(t)
			if got := client.Exists(t.Context(), "k").Val(); got != c.want {
				t.Errorf("%d keys are left, want %d", got, c.want)
			}
		})
	}
}

func TestAPausedServerAnswersWhenItIsResumed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	impatient := redis.NewClient(&redis.Options{Addr: s.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	defer impatient.Close()
	if err := impatient.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answered")
	}
	s.Resume(t)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
}

func TestAKilledServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	s.Kill()
	s.Kill()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answered")
	}
}

func TestAClusterRefusesKeysOfDifferentSlots(t *testing.T) {
	t.Parallel()
	client := redistest.Cluster(t)
	err := redis.NewScript("return 1").Run(t.Context(), client, []string{"a", "b"}).Err()
	if err == nil {
		t.Error("a script over two slots ran")
	}
}

// TestOrphan is run by the test below in its own process, which it kills.
func TestOrphan(t *testing.T) {
	if os.Getenv("REDISTEST_ORPHAN") == "" {
		return
	}
	pid := field(redistest.Client(t).Info(t.Context(), "server").Val(), "process_id")
	os.Stdout.WriteString("pid " + pid + "\n")
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func TestTheServerOfAKilledTestBinaryIsKilled(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOrphan$")
	cmd.Env = append(os.Environ(), "REDISTEST_ORPHAN=1")
	out, _ := cmd.Output() // it is killed
	_, pid, ok := strings.Cut(strings.TrimSpace(string(out)), "pid ")
	if !ok {
		t.Fatalf("the process printed %q", out)
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(5 * time.Second)
	for {
		if b, err := os.ReadFile("/proc/" + pid + "/cmdline"); err != nil || len(b) == 0 { // it has ended
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("redis-server %s still runs", pid)
		}
	}
}

func field(info, name string) string {
	_, rest, _ := strings.Cut(info, name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
