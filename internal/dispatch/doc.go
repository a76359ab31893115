// Package dispatch works the tasks of the lanes. The way of a token through it:
//
//	task ─► Handle
//	         │ would it wait long for the rate limit?        ─► put back, chunk not loaded
//	         ▼
//	       load the chunk: a claim on its unresolved tokens
//	         │ canceled or expired, or known to be invalid?  ─► ends without a request
//	         │ its job is parked?                            ─► put back
//	         ▼
//	       batches: one message and one idempotency key each (package group)
//	         │ a small batch waits for others, to share a request
//	         ▼
//	       request: wait for a slot (package slots), then for a permit (Gate)
//	         │ the wait is long?                             ─► put back
//	         │ expired, canceled or parked meanwhile?        ─► ends, or put back
//	         ▼
//	       record what must be known before a request: new keys, intents of at-most-once jobs
//	         ▼
//	       access token ─► upload, if the vendor wants one ─► call the vendor, once
//	         ▼
//	       look up the answer's codes: a row for the request, others for some tokens
//	         │ retry.SignalOf says what the answer means for other requests: the Gate is told once
//	         ▼
//	       retry.Decide, for each token ─► ends, or is sent again
//	         ▼
//	       record (Book) ─► the verdict on the task: done, put back, or archived with dead letters
//
// The package also ends what a task leaves behind that is lost, deleted or
// archived. It does not know any vendor's protocol, how the ledger is stored, or
// how asynq works.
package dispatch
