// Package vendors is the contract between postrider and an adapter for a push
// vendor. Each adapter is one folder below this package and one line in package
// registry.
//
// An adapter translates. It turns a message and tokens into exactly one HTTP
// request, and the vendor's answer into one code per token. It does not retry,
// sleep, log, count or cache, it does not know Redis, and it does not judge: what
// a code means is a row of the codes.tsv in its folder.
//
// # The life of a request
//
//  1. Spec.Check refuses a message that the vendor could never accept, when a
//     job is enqueued.
//  2. The configuration fills the Settings of one app, and Settings.Open returns
//     its Vendor. Open makes no call.
//  3. Dispatch cuts the tokens into parts of at most Spec.Batch, waits for the
//     app's rate limit, and builds a Request.
//  4. If the Vendor is a Granter, dispatch obtains an access token with Grant and
//     sets Request.Access. If it is an Uploader and needs the message stored at
//     the vendor first, dispatch calls Upload and sets Request.UploadID.
//  5. Vendor.Send makes one request. It returns an Answer, or an *Error if there
//     is no answer.
//  6. Answer.Consistent drops codes that contradict the HTTP status. Package
//     classify looks the codes up in Spec.Codes, and package retry decides.
//  7. A receipt may arrive later: Receipts.Read takes it apart, and its codes go
//     through the same table.
//
// Packages below this one hold what several adapters share: httpx makes the HTTP
// call, body writes and checks, oauth fetches access tokens, receipts reads
// receipts.
package vendors
