// Package wire is what postrider keeps in Redis: the names of the keys and the
// encodings of the values, each with its version. It knows no Redis client and
// gives no meaning to what it carries.
package wire

import (
	"strconv"
	"strings"
)

// Streams that applications and operators read.
const (
	InvalidStream = "postrider:invalid"
	DeadStream    = "postrider:dead"
	// HeldStream holds entries of the feed that somebody has to confirm first.
	HeldStream = "postrider:invalid:held"
)

// Jobs from any language come by IntakeStream; why one was refused is told in RefusedStream.
const (
	IntakeStream  = "postrider:intake"
	RefusedStream = "postrider:intake:refused"
)

// ReceiptStream holds receipts that were answered and are not applied yet.
const ReceiptStream = "postrider:receipts"

// CallKey marks for a minute what a call has done, by the call's random name:
// a command that is sent again because its reply was lost is recognised. It is in
// the slot of the key that the call changes.
func CallKey(slot, name string) string { return "postrider:call:{" + slot + "}:" + name }

// TaskType is the asynq type of every task.
const TaskType = "push"

// JobKey is the ledger of a job: a string for a job of one token, else a hash.
func JobKey(job string) string { return "postrider:job:{" + job + "}" }

// MessageKey holds the message of a job whose chunks carry none themselves.
func MessageKey(job string) string { return "postrider:message:{" + job + "}" }

// StagedKey holds, while a job is being enqueued, of each chunk that is staged
// the digest, 16 bytes, and the number of tokens after it.
func StagedKey(job string) string { return "postrider:staged:{" + job + "}" }

// ChunkKey is where the chunk with the given reference lies.
func ChunkKey(ref string) string { return "postrider:chunk:" + ref }

// JobChunk is the reference of a chunk of one job; it shares the job's slot.
func JobChunk(job, name string) string { return "{" + job + "}:" + name }

// PackChunk is the reference of a chunk that many jobs share.
func PackChunk(id string) string { return "{" + id + "}" }

// SentKey is a hash that tells which job's message was sent under a tag: by a
// token's short hash, or under "" for all tokens of a large job.
func SentKey(app, vendor, tag string) string {
	return "postrider:sent:{" + app + ":" + vendor + "}:" + tag
}

// CountedKey is a set of receipts that a job's ledger has counted; a job has
// as many as it needs to keep each of them small.
func CountedKey(job string, n int) string {
	return "postrider:counted:{" + job + "}:" + strconv.Itoa(n)
}

// FedKey tells that a receipt put a token into the feed not long ago. It is in
// the feed's slot.
func FedKey(digest string) string { return "postrider:fed:{" + InvalidStream + "}:" + digest }

// TurnKey holds, by app, how much of its allowance of tasks that go ahead of
// others in a lane an app has used up. It is in the lane's slot.
func TurnKey(lane string) string { return "postrider:turn:{" + lane + "}" }

// GuardKey is a hash that counts an app's answered and invalid tokens at a
// vendor by the minute; source is "" for answers to requests.
func GuardKey(app, vendor, source string) string {
	return "postrider:guard:{" + app + ":" + vendor + "}:" + source
}

// WebhookCursorKey is the id of the last entry of the feed that the webhook took.
const WebhookCursorKey = "postrider:webhook:cursor"

// WebhookLeaseKey and PullLeaseKey say which worker calls the webhook, and which
// pulls the vendors' lists of dead tokens.
const (
	WebhookLeaseKey = "postrider:webhook:lease"
	PullLeaseKey    = "postrider:pull:lease"
)

// PullKey is a hash that tells when an app's list at a vendor was last pulled,
// and when it is to be pulled again.
func PullKey(app, vendor string) string { return "postrider:pull:{" + app + ":" + vendor + "}" }

// GoneKey is a sorted set of an app's tokens that are known dead at a vendor:
// their Marks by the Unix milliseconds at which they were found so.
func GoneKey(app, vendor string) string { return "postrider:gone:{" + app + ":" + vendor + "}" }

// Lane is the name of a queue.
func Lane(vendor, priority string) string { return vendor + ":" + priority }

// SplitLane takes a lane's name apart.
func SplitLane(lane string) (vendor, priority string) {
	vendor, priority, _ = strings.Cut(lane, ":")
	return vendor, priority
}

// TaskID is the asynq id of a chunk's task. asynq's UI shows an id up to its
// first "-", so what stands before it is for people: the job and the chunk's
// name. What stands after it is the reference, which makes the id unique.
func TaskID(title, ref string) string {
	return strings.ReplaceAll(title, "-", "_") + "-" + ref
}
