package retry

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Signal is what a result means for other requests of the (app, vendor). The
// dispatcher's gate acts on it.
type Signal string

// The signals. Those from Well on say that the vendor works: a stop of the app ends.
const (
	// Nothing: the result says nothing about other requests.
	Nothing Signal = "nothing"
	// TooFast stops the app and lowers its rate. See also TakenForQuota.
	TooFast Signal = "stop: too fast"
	// Misconfigured stops the app until its settings are right.
	Misconfigured Signal = "stop: misconfigured"
	// Unreachable stops the app after several results in a row.
	Unreachable Signal = "stop: unreachable"
	// ParkOrStop parks the jobs whose tokens got the row. It stops the app if a
	// second job got it.
	ParkOrStop Signal = "park or stop"

	// Well: the vendor works.
	Well Signal = "well"
	// Park parks the jobs whose tokens got the row. It never stops the app.
	Park Signal = "park"
	// Pause pauses the row's bucket, or the app if it names none, until the row's window.
	Pause Signal = "pause"
	// Judged: the vendor has judged the message or its tokens. If the request was
	// the probe for parked jobs, these jobs go on.
	Judged Signal = "judged"
	// Accepted is like Judged, and a lowered rate may rise.
	Accepted Signal = "accepted"
)

// Parks reports whether the signal concerns the jobs whose tokens got the row.
func (s Signal) Parks() bool { return s == Park || s == ParkOrStop }

// SignalOf says what a result means for other requests. Like Decide it is pure;
// testdata/signal.golden lists every case.
func SignalOf(r Result) Signal {
	row := r.reading()
	if !r.heard(row) {
		return Nothing
	}
	switch row.Remedy {
	case classify.RefreshAuth:
		return Nothing // the request is made once more, and that answer counts
	case classify.SlowDown:
		if row.Scope == classify.ScopeApp {
			return TooFast
		}
	case classify.Config:
		switch {
		case r.Stage == GrantRefused, r.Stage == AccessRefused:
			return Misconfigured
		case row.Scope == classify.ScopeApp:
			return ParkOrStop
		case row.Scope != classify.ScopeToken:
			return Park
		}
	case classify.Backoff:
		if unreachable(row) {
			return Unreachable
		}
	case classify.WaitQuota:
		if row.Bucket != "" || row.Scope == classify.ScopeApp {
			return Pause
		}
	case classify.None, classify.Split, classify.DropBatch, classify.DropToken:
	}
	switch {
	case row.Class == classify.Success:
		return Accepted
	case !row.Remedy.Repeats():
		return Judged
	}
	return Well
}

// heard reports whether the result says anything about the vendor, or about more
// than single tokens. row is the result of reading.
func (r Result) heard(row classify.Row) bool {
	switch r.Stage {
	case Abandoned, Unprepared:
		return false
	case GrantRefused:
		return row.Remedy == classify.Config || row.Level == classify.Transport || row.Level == classify.HTTP
	case Answered, AccessRefused, NotSent:
	}
	if !r.OfTokens {
		return true
	}
	wide := row.Scope == classify.ScopeApp || row.Bucket != "" || row.Remedy == classify.Config && row.Scope != classify.ScopeToken
	return wide && row.Class != classify.Success
}

// unreachable reports whether the vendor could not be reached. A server error is an
// answer: it comes at once, and may be about the message.
func unreachable(row classify.Row) bool {
	return row.Level == classify.Transport && (row.Code == classify.Dial || row.Code == classify.Timeout || row.Code == classify.Broken)
}

// quotaAfter is how long an answer that may mean flow control or a used-up quota is
// treated as flow control.
const quotaAfter = 10 * time.Minute

// TakenForQuota reports whether flow control that has stopped an app for the given
// time is now treated as a used-up quota. The gate then handles TooFast like Pause.
func TakenForQuota(row classify.Row, stopped time.Duration) bool {
	return row.Window != "" && stopped >= quotaAfter
}
