package wire_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push/wire"
)

func TestNamesInRedisStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, got, want string }{
		{"ledger", wire.JobKey("order-42"), "postrider:job:{order-42}"},
		{"message", wire.MessageKey("order-42"), "postrider:message:{order-42}"},
		{"staged chunks", wire.StagedKey("order-42"), "postrider:staged:{order-42}"},
		{"chunk of one job", wire.ChunkKey(wire.JobChunk("order-42", "huawei:0")), "postrider:chunk:{order-42}:huawei:0"},
		{"shared chunk", wire.ChunkKey(wire.PackChunk("abc")), "postrider:chunk:{abc}"},
		{"feed of invalid tokens", wire.InvalidStream, "postrider:invalid"},
		{"dead letters", wire.DeadStream, "postrider:dead"},
		{"lane", wire.Lane("huawei", "bulk"), "huawei:bulk"},
		{"task", wire.TaskKey("huawei:bulk", "id"), "asynq:{huawei:bulk}:t:id"},
		{"tasks that are due", wire.PendingKey("huawei:bulk"), "asynq:{huawei:bulk}:pending"},
		{"tasks that are due later", wire.ScheduledKey("huawei:bulk"), "asynq:{huawei:bulk}:scheduled"},
		{"queues", wire.AsynqQueues, "asynq:queues"},
		{"type of a task", wire.TaskType, "push"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestWordsInALedgerStayAsTheyAre(t *testing.T) {
	t.Parallel()
	got := []string{
		wire.FieldState, wire.FieldApp, wire.FieldAccepted, wire.FieldCreated, wire.FieldEnded, wire.FieldKeep,
		wire.FieldDigest, wire.FieldOwner, wire.Staging, wire.Sealed, wire.Running, wire.Done, wire.Canceling,
	}
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		got = append(got, string(o))
	}
	want := "state app accepted created ended keep digest owner staging sealed running done canceled " +
		"delivered invalid dropped expired dead canceled pending"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

func TestALaneIsItsVendorAndPriority(t *testing.T) {
	t.Parallel()
	if vendor, priority := wire.SplitLane(wire.Lane("huawei", "high")); vendor != "huawei" || priority != "high" {
		t.Errorf("got %s and %s, want huawei and high", vendor, priority)
	}
}

func TestATasksIDBeginsWithItsTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, title, want string }{
		{"a job and its chunk", "order.7", "order.7"},
		{"a title with hyphens, at which the UI would cut", "order-42-shipped.7", "order_42_shipped.7"},
		{"many jobs", "12 jobs", "12 jobs"},
		{"a title of hyphens", "--", "__"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shown, ref, _ := strings.Cut(wire.TaskID(c.title, "owner:huawei:7"), "-")
			if shown != c.want || ref != "owner:huawei:7" {
				t.Errorf("got %s and %s, want %s and the reference", shown, ref, c.want)
			}
		})
	}
}

func TestTasksOfDifferentReferencesHaveDifferentIDs(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching("[a:_-]{0,4}")
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "one reference"), word.Draw(t, "another")
		if a == b {
			return
		}
		if id := wire.TaskID(word.Draw(t, "one title"), a); id == wire.TaskID(word.Draw(t, "another title"), b) {
			t.Fatalf("%q and %q share the id %q", a, b, id)
		}
	})
}
