// Package wire is what postrider keeps in Redis: the names of the keys and the
// encodings of the values, each with its version. It knows no Redis client and
// does not interpret what it carries.
package wire

import (
	"strconv"
	"strings"
)

// Streams that applications and operators read.
const (
	InvalidStream = "postrider:invalid"
	DeadStream    = "postrider:dead"
	// QuarantineStream is the quarantine: entries of the feed that an operator has to
	// confirm first.
	QuarantineStream = "postrider:invalid:held"
)

// Producers in any language add jobs to IntakeStream; RefusedStream says why one
// was refused.
const (
	IntakeStream  = "postrider:intake"
	RefusedStream = "postrider:intake:refused"
)

// ReceiptStream holds receipts that were acknowledged and are not applied yet.
const ReceiptStream = "postrider:receipts"

// CallKey records for a minute what a call has done, by the call's random name, so
// that a command that is sent again because its reply was lost is recognised. It is
// in the slot of the key that the call changes.
func CallKey(slot, name string) string { return "postrider:call:{" + slot + "}:" + name }

// TaskType is the asynq type of every task.
const TaskType = "push"

// JobKey is the ledger of a job: a string (see Single) for a job of one token, else
// a hash.
func JobKey(job string) string { return "postrider:job:{" + job + "}" }

// MessageKey holds the message of a job whose chunks do not contain it.
func MessageKey(job string) string { return "postrider:message:{" + job + "}" }

// StagedKey is a hash that exists while a job is being enqueued in parts: for each
// staged chunk the digest, 16 bytes, followed by the number of tokens.
func StagedKey(job string) string { return "postrider:staged:{" + job + "}" }

// ChunkKey holds the chunk with the given reference.
func ChunkKey(ref string) string { return "postrider:chunk:" + ref }

// JobChunk is the reference of a chunk of one job; it shares the job's slot.
func JobChunk(job, name string) string { return "{" + job + "}:" + name }

// PackChunk is the reference of a chunk that several jobs share.
func PackChunk(id string) string { return "{" + id + "}" }

// SentKey is a hash that reports which job's message was sent under a tag: the field
// is a token's short hash, or "" for all tokens of a large job.
func SentKey(app, vendor, tag string) string {
	return "postrider:sent:{" + app + ":" + vendor + "}:" + tag
}

// CountedKey is a set of receipts that a job's ledger has counted; a job has as
// many sets as are needed to keep each of them small.
func CountedKey(job string, n int) string {
	return "postrider:counted:{" + job + "}:" + strconv.Itoa(n)
}

// FedKey exists while a token was added to the feed by a receipt not long ago. It
// is in the feed's slot.
func FedKey(digest string) string { return "postrider:fed:{" + InvalidStream + "}:" + digest }

// TurnKey is a hash that holds, by app, how much an app has used of its allowance
// of tasks that go ahead of others in a lane. It is in the lane's slot.
func TurnKey(lane string) string { return "postrider:turn:{" + lane + "}" }

// GuardKey is a hash that counts an app's answered and invalid tokens at a
// vendor by the minute; source is "" for answers to requests.
func GuardKey(app, vendor, source string) string {
	return "postrider:guard:{" + app + ":" + vendor + "}:" + source
}

// WebhookCursorKey is the id of the last entry of the feed that the webhook took.
const WebhookCursorKey = "postrider:webhook:cursor"

// WebhookLeaderKey and PullLeaderKey say which worker calls the webhook, and which
// pulls the vendors' lists of invalid tokens.
const (
	WebhookLeaderKey = "postrider:webhook:lease"
	PullLeaderKey    = "postrider:pull:lease"
)

// PullKey is a hash that says when an app's list at a vendor was last pulled,
// and when it is to be pulled again.
func PullKey(app, vendor string) string { return "postrider:pull:{" + app + ":" + vendor + "}" }

// RateKey is a hash of an account's rate limiter.
func RateKey(app, vendor string) string { return "postrider:rate:" + accountTag(app, vendor) }

// PauseKey is a hash of an account's paused buckets.
func PauseKey(app, vendor string) string { return "postrider:pause:" + accountTag(app, vendor) }

// StopKey is a hash of an account's stop.
func StopKey(app, vendor string) string { return PauseKey(app, vendor) + ":stop" }

// ParkedKey is a hash of an account's parked jobs.
func ParkedKey(app, vendor string) string { return PauseKey(app, vendor) + ":jobs" }

// ParkedForgetKey is a sorted set of an account's parked jobs by when they are forgotten.
func ParkedForgetKey(app, vendor string) string { return PauseKey(app, vendor) + ":jobs:forget" }

// ParkedCodesKey is a hash of the first job that got each configuration error.
func ParkedCodesKey(app, vendor string) string { return PauseKey(app, vendor) + ":codes" }

// AccessKey is an account's access token; credentials is a hash of what it was granted
// for.
func AccessKey(app, vendor, credentials string) string {
	return "postrider:auth:" + accountTag(app, vendor) + ":" + credentials
}

// AccessLockKey is the worker that asks the vendor for a new access token.
func AccessLockKey(app, vendor, credentials string) string {
	return AccessKey(app, vendor, credentials) + ":lock"
}

// AccessRefusedKey is the vendor's refusal of an access token, as long as no worker
// asks again.
func AccessRefusedKey(app, vendor, credentials string) string {
	return "postrider:pause:auth:" + accountTag(app, vendor) + ":" + credentials
}

// AccessRefusalsKey is how many refusals there were in a row.
func AccessRefusalsKey(app, vendor, credentials string) string {
	return AccessRefusedKey(app, vendor, credentials) + ":count"
}

// UploadKey is the vendor's id of an uploaded message, by the requests' idempotency key.
func UploadKey(app, vendor, key string) string {
	return "postrider:saved:" + accountTag(app, vendor) + ":" + key
}

// accountTag keeps the keys of an account in one slot of a cluster.
func accountTag(app, vendor string) string { return "{" + app + ":" + vendor + "}" }

// ArchiveSweepKey exists while no worker needs to read asynq's archive again. AdoptedKey exists
// while no worker needs to list the work of old producers.
const (
	ArchiveSweepKey = "postrider:sweep"
	AdoptedKey      = "postrider:adopted"
)

// GoneKey is a sorted set of an app's tokens that are known to be invalid at a
// vendor: their Marks by the time when they were found so, Unix milliseconds.
func GoneKey(app, vendor string) string { return "postrider:gone:{" + app + ":" + vendor + "}" }

// Lane is the name of a queue.
func Lane(vendor, priority string) string { return vendor + ":" + priority }

// SplitLane returns the parts of a lane's name.
func SplitLane(lane string) (vendor, priority string) {
	vendor, priority, _ = strings.Cut(lane, ":")
	return vendor, priority
}

// TaskID is the asynq id of a chunk's task. asynq's UI shows an id up to its first
// "-": that part is for people, the job and the chunk's name. The rest is the
// reference, which makes the id unique.
func TaskID(title, ref string) string {
	return strings.ReplaceAll(title, "-", "_") + "-" + ref
}
