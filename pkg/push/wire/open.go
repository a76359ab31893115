package wire

import (
	"errors"
	"strconv"
	"strings"
)

// OpenKey is the index of a lane's open work: a sorted set with a member for each
// chunk that has tokens left, by the Unix second at which the last of its jobs
// expires. A member is added with the task and removed with the chunk.
func OpenKey(lane string) string { return "postrider:open:{" + lane + "}" }

// PackJobsKey holds the jobs of a chunk that several jobs share, so that their
// ledgers can be settled when the chunk is lost.
func PackJobsKey(ref string) string { return "postrider:packed:" + ref }

// StagingKey is a sorted set of the jobs that are being enqueued in parts, by
// the Unix second of their producer's last heartbeat.
const StagingKey = "postrider:staging"

// CancelingKey is a sorted set of the jobs that were canceled not long ago, by
// Unix second: workers count their remaining tokens.
const CancelingKey = "postrider:canceling"

// DeletedKey is a hash of the tasks of a lane that a person deleted in our UI:
// their encodings by id, until their tokens are counted.
func DeletedKey(lane string) string { return "postrider:deleted:{" + lane + "}" }

// SweepKey says which worker looks for work whose task was lost.
const SweepKey = "postrider:sweeper"

// JobsKey is a sorted set of the open jobs of more than one token, and
// EndedJobsKey of the ended ones, both by the Unix second at which they were
// created. A worker moves a job from one to the other some time after its end.
const (
	JobsKey      = "postrider:jobs"
	EndedJobsKey = "postrider:jobs:ended"
)

// OpenCountKey is a hash with what the last look through all open work counted:
// the fields "open" and "stuck" are numbers of jobs.
const OpenCountKey = "postrider:jobs:count"

// The fields of OpenCountKey: how many jobs are open, and how many of them are stuck.
const (
	FieldOpenJobs  = "open"
	FieldStuckJobs = "stuck"
)

// Open is a member of the index of open work.
type Open struct {
	Task, Chunk, App string
	// Tokens is how many of the chunk's tokens have no outcome yet.
	Tokens int
}

// OpenOf is the member of a task with that header, none of whose tokens has an
// outcome.
func OpenOf(task string, h Header) Open {
	return Open{Task: task, Chunk: h.Chunk, App: h.App, Tokens: h.Tokens}
}

// Encode writes the member.
func (o Open) Encode() string {
	return strings.Join([]string{o.Task, o.Chunk, o.App, strconv.Itoa(o.Tokens)}, "\t")
}

// DecodeOpen reads a member.
func DecodeOpen(s string) (Open, error) {
	f := strings.Split(s, "\t")
	if len(f) != 4 {
		return Open{}, errors.New("decode member of the open work: not four fields")
	}
	n, err := strconv.Atoi(f[3])
	if err != nil || n < 0 {
		return Open{}, errors.New("decode member of the open work: its number of tokens is no number")
	}
	return Open{Task: f[0], Chunk: f[1], App: f[2], Tokens: n}, nil
}

// Job is the job of a chunk that only one job has, or "".
func (o Open) Job() string {
	if end := strings.LastIndex(o.Chunk, "}:"); end > 0 && o.Chunk[0] == '{' {
		return o.Chunk[1:end]
	}
	return ""
}

// PackedJob is a job of a shared chunk.
type PackedJob struct {
	Job    string
	Tokens int
}

// EncodePackedJobs writes what PackJobsKey holds.
func EncodePackedJobs(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Job)
		if len(e.Tokens) > 1 {
			b.WriteString("\t" + strconv.Itoa(len(e.Tokens)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// DecodePackedJobs reads what EncodePackedJobs wrote.
func DecodePackedJobs(s string) []PackedJob {
	var all []PackedJob
	for line := range strings.Lines(s) {
		job, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.Atoi(count)
		if err != nil {
			n = 1
		}
		all = append(all, PackedJob{job, n})
	}
	return all
}
