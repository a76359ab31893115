package wire

// DeadVersion is the newest version of dead letters that this build reads, and the
// one that it writes, in their field "v". Version 1 has no such field, and its reason
// is followed by the vendor's words.
const DeadVersion = 2

// DeadReason says why tokens ended dead. It is a label: what the vendor or the
// network said of it is the dead letter's detail.
type DeadReason string

// The reasons.
const (
	// DeadAttempts: every request that the policy or the code's row allows was made.
	DeadAttempts DeadReason = "attempts"
	// DeadUnknownOutcome: the answer to an at-most-once request is not known.
	DeadUnknownOutcome DeadReason = "unknown-outcome"
	// DeadPoison: several workers died while they worked the task.
	DeadPoison DeadReason = "poison"
	// DeadArchived: the task was archived by hand, or by asynq itself.
	DeadArchived DeadReason = "archived"
	// DeadLostTask: the task is gone from the queue, and cannot be created again.
	DeadLostTask DeadReason = "lost-task"
	// DeadUnreadable: the task or its chunk cannot be read.
	DeadUnreadable DeadReason = "unreadable"
)
