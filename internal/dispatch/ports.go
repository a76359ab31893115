package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// Book keeps chunks and ledgers.
type Book interface {
	Load(ctx context.Context, h wire.Header) (*ledger.Open, error)
	Settle(ctx context.Context, steps []*ledger.Step) ([]bool, error)
	// Recheck returns "" if the chunks and jobs are still as they were loaded, else why not.
	Recheck(ctx context.Context, loaded []ledger.Loaded) (why string, err error)
	// Fence makes every run that has loaded the chunk unable to record anything, if
	// ours says that the chunk is still the caller's.
	Fence(ctx context.Context, chunk string, ours func(context.Context) (bool, error)) error
	// Lose ends what is left of a chunk that can no longer be read.
	Lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) (tokens int, err error)
	// Canceled reports whether a job was canceled.
	Canceled(ctx context.Context, job string) (bool, error)
	// List adds work to the index of open work that an older producer did not add.
	List(ctx context.Context, l ledger.Listing) error
	// Left reports which chunks still exist.
	Left(ctx context.Context, chunks []string) ([]bool, error)
}

// Uploaded keeps the vendors' ids of messages that were uploaded to them.
type Uploaded interface {
	ID(ctx context.Context, m upload.Message, save func(context.Context) (vendors.Uploaded, error)) (string, error)
	Forget(ctx context.Context, m upload.Message, id string) error
}

// Tracer notes whose messages are about to be sent, for receipts that come later.
type Tracer interface {
	Note(ctx context.Context, sent []Sent) error
}

// Sent says whose message is sent under a tag, which is the request's key.
type Sent struct {
	App, Vendor, Tag string
	// For is how long receipts may still come.
	For time.Duration
	// Job is set if all tokens under the tag are of one job. Tokens is nil then.
	Job string
	// Tokens are the tokens' jobs.
	Tokens map[string]string
}

// Gate says when a request may be made.
type Gate interface {
	// Admit lets a request through, or says how long to wait and why.
	Admit(ctx context.Context, a *account.Account, d Demand) (Admission, error)
	// Place gives a request that would wait long for the rate limit a time of its
	// own. It returns how long it is until then.
	Place(ctx context.Context, a *account.Account, w Waiting) (time.Duration, error)
	// Parked returns which of the jobs are parked, and until when. A time that is over
	// means that a request for that job only may be tried. It is asked often, and
	// asks for the jobs only if any is parked.
	Parked(ctx context.Context, a *account.Account, jobs func() []string) (map[string]time.Time, error)
	// Try returns which jobs of a request that it has admitted are not to be in it,
	// and until when. If others of them were parked, the request becomes their
	// probe, which the Admission then says.
	Try(ctx context.Context, a *account.Account, adm *Admission, jobs func() []string) (map[string]time.Time, error)
	// Answered carries out what the vendor's answer to an admitted request means for
	// other requests. It is called once for a request at most. It returns until when
	// it parked the jobs of each finding; nil: it parked none.
	Answered(ctx context.Context, a *account.Account, adm Admission, findings []Finding) (parked []time.Time)
	// Done says that a request which was a probe is over, whether it was made or not.
	Done(ctx context.Context, a *account.Account, adm Admission)
}

// Demand is what a request asks the Gate for.
type Demand struct {
	Priority push.Priority
	Units    int      // of the account's rate
	Buckets  []string // the quotas that count it
}

// Waiting is a request that would wait long for units of its account's rate.
type Waiting struct {
	Priority push.Priority
	Units    int
	Ahead    int  // units that others of this worker wait for, and get before it
	Late     bool // it had a time, which has come, and there was no room
}

// Admission is the Gate's answer to a Demand.
type Admission struct {
	Wait    time.Duration // until the Gate is to be asked again; 0: the request may be made
	Why     string        // for people, with Wait
	Paused  bool          // the Wait is for the end of a pause of the app
	Limited bool          // the Wait is for the rate limit
	Buckets []string      // the Demand's
	// Probe is set if only this request is to show whether the vendor works again.
	// All others wait for its answer.
	Probe string
	// JobProbe is the same for parked jobs. Tried are the jobs of the request.
	JobProbe string
	Tried    []string
}

// Finding is what an answer, to a request or to some of its tokens, means for
// other requests.
type Finding struct {
	Signal retry.Signal
	// Row says which code it was, its window and its bucket.
	Row        classify.Row
	RetryAfter time.Duration
	// Jobs are those whose tokens got the answer; nil unless the Signal parks them.
	Jobs []Job
}

// Job is a job of a request.
type Job struct {
	ID      string
	Expires time.Time
}

// Gone knows which tokens are invalid.
type Gone interface {
	// Dead reports for each token of the entries, in order, whether it was found
	// invalid after its job's start; nil: none was.
	Dead(ctx context.Context, app, vendor string, entries []wire.Entry) ([]bool, error)
}

// Meter counts.
type Meter interface {
	Request(a *account.Account, row classify.Row, tokens int, took time.Duration)
	Outcome(app, vendor string, o wire.Outcome, tokens int)
	// Again counts tokens that are sent again, by what is done about it.
	Again(app, vendor string, remedy classify.Remedy, tokens int)
	// Invalid counts n entries that were added to the feed, or quarantined.
	Invalid(app, vendor string, n int, quarantined bool)
	// Skipped counts tokens that were known to be invalid, and not sent.
	Skipped(app, vendor string, tokens int)
	// Recovered counts tasks that were lost and found.
	Recovered(reason string, n int)
}
