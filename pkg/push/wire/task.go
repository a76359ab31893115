package wire

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Task is an asynq task as asynq v0.26 keeps it in Redis. It is written here, and
// not by asynq's client, so that a job's ledger, chunk and task are one atomic step;
// a test in internal/queue compares it with asynq's own encoding.
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
	taskError   = 7
	taskTimeout = 8
)

// Encode writes the task in asynq's format. Its limit of retries is never reached:
// postrider decides itself when to give up.
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

// DecodeTask reads what Redis holds of a task, and its last error.
func DecodeTask(b []byte) (t Task, lastError string, err error) {
	texts := map[protowire.Number]string{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return t, "", fmt.Errorf("decode task: %w", protowire.ParseError(n))
		}
		field := protowire.ConsumeFieldValue(number, kind, b[n:])
		if field < 0 {
			return t, "", fmt.Errorf("decode task: %w", protowire.ParseError(field))
		}
		if kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(b[n:])
			texts[number] = string(text) // if a field occurs twice, the last one counts
		}
		b = b[n+field:]
	}
	if texts[taskID] == "" || texts[taskQueue] == "" {
		return t, "", errors.New("decode task: it has no id or no queue")
	}
	return Task{ID: texts[taskID], Queue: texts[taskQueue], Payload: []byte(texts[taskPayload])}, texts[taskError], nil
}

// TaskError makes a reason the last error of a task when it is appended to the
// task's encoding: if a field occurs twice, the last one counts.
func TaskError(reason string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, taskError, protowire.BytesType), reason)
}

// AsynqQueues is asynq's set of all queues.
const AsynqQueues = "asynq:queues"

// TaskKey is where asynq keeps a task.
func TaskKey(queue, id string) string { return "asynq:{" + queue + "}:t:" + id }

// PendingKey is asynq's list of a queue's tasks that are to be worked now.
func PendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

// ActiveKey is asynq's list of a queue's tasks that are in work.
func ActiveKey(queue string) string { return "asynq:{" + queue + "}:active" }

// LeaseKey is asynq's sorted set of the tasks in work, by the Unix second at which
// the worker's lease ends unless the worker renews it.
func LeaseKey(queue string) string { return "asynq:{" + queue + "}:lease" }

// ArchivedKey is asynq's sorted set of a queue's tasks that do not run again,
// by the Unix second at which they were archived.
func ArchivedKey(queue string) string { return "asynq:{" + queue + "}:archived" }

// ScheduledKey is asynq's sorted set of a queue's tasks that are due later, by Unix second.
func ScheduledKey(queue string) string { return "asynq:{" + queue + "}:scheduled" }

// RetryKey is asynq's sorted set of a queue's tasks that were put back, by the
// Unix second at which they are due.
func RetryKey(queue string) string { return "asynq:{" + queue + "}:retry" }
