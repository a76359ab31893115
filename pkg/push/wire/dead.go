package wire

// DeadVersion is the newest version of dead letters that this build understands,
// and the one that it writes, in their field "v". Version 1 has no such field,
// and its reason has the vendor's words behind it.
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
	// DeadPoison: several workers died with the task in work.
	DeadPoison DeadReason = "poison"
	// DeadArchived: the task was archived by hand, or by asynq itself.
	DeadArchived DeadReason = "archived"
	// DeadLostTask: the task is gone from the queue, and cannot be made anew.
	DeadLostTask DeadReason = "lost-task"
	// DeadUnreadable: the task or its chunk cannot be read.
	DeadUnreadable DeadReason = "unreadable"
)

// DeadReasons lists them all.
func DeadReasons() []DeadReason {
	return []DeadReason{DeadAttempts, DeadUnknownOutcome, DeadPoison, DeadArchived, DeadLostTask, DeadUnreadable}
}
