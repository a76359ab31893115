package wire

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Task is an asynq task as asynq v0.26 keeps it in Redis. Writing it here, and
// not through asynq's client, lets a job's ledger, chunk and task be one atomic
// step; a test in internal/queue holds it against asynq's own encoding.
type Task struct {
	ID      string
	Queue   string
	Payload []byte
}

// TaskTimeout is how long asynq lets one run of a task take.
const TaskTimeout = 30 * time.Minute

// Field numbers of asynq's TaskMessage.
const (
	taskType    = 1
	taskPayload = 2
	taskID      = 3
	taskQueue   = 4
	taskRetry   = 5
	taskTimeout = 8
)

// Encode writes the task in asynq's format. Its retries are out of reach:
// postrider's own rule decides when a task has had enough.
func (t Task) Encode() []byte {
	b := make([]byte, 0, 64+len(t.Payload)+len(t.ID)+len(t.Queue))
	text := func(n protowire.Number, v string) {
		b = protowire.AppendTag(b, n, protowire.BytesType)
		b = protowire.AppendString(b, v)
	}
	number := func(n protowire.Number, v uint64) {
		b = protowire.AppendTag(b, n, protowire.VarintType)
		b = protowire.AppendVarint(b, v)
	}
	text(taskType, TaskType)
	text(taskPayload, string(t.Payload))
	text(taskID, t.ID)
	text(taskQueue, t.Queue)
	number(taskRetry, math.MaxInt32)
	number(taskTimeout, uint64(TaskTimeout/time.Second))
	return b
}

// AsynqQueues is asynq's set of all queues.
const AsynqQueues = "asynq:queues"

// TaskKey is where asynq keeps a task.
func TaskKey(queue, id string) string { return "asynq:{" + queue + "}:t:" + id }

// PendingKey is asynq's list of a queue's tasks that are due.
func PendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

// ScheduledKey is asynq's sorted set of a queue's tasks that are due later, by Unix second.
func ScheduledKey(queue string) string { return "asynq:{" + queue + "}:scheduled" }
