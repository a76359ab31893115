package retry

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Signal is what a result means for other requests of the (app, vendor). The
// dispatcher's gate carries it out.
type Signal string

// The signals. Those from Well on say that the vendor works: a stop of the app ends.
const (
	// Nothing: the result says nothing about other requests.
	Nothing Signal = "nothing"
	// TooFast stops the app and lowers its rate. See TakenForQuota.
	TooFast Signal = "stop: too fast"
	// Misconfigured stops the app until its settings are right.
	Misconfigured Signal = "stop: misconfigured"
	// Unreachable stops the app if it comes several times in a row.
	Unreachable Signal = "stop: unreachable"
	// ParkOrStop parks the jobs whose tokens got the row. It stops the app if a
	// second job got it.
	ParkOrStop Signal = "park or stop"

	// Well: the vendor works.
	Well Signal = "well"
	// Park parks the jobs whose tokens got the row, however many they are.
	Park Signal = "park"
	// Pause pauses the row's bucket, or the app if it names none, until the row's window.
	Pause Signal = "pause"
	// Judged: the vendor has judged the message or its tokens. If the request was
	// the probe of parked jobs, they go on.
	Judged Signal = "judged"
	// Accepted is Judged, and a rate that was lowered may rise.
	Accepted Signal = "accepted"
)

// Parks tells whether the signal concerns the jobs whose tokens got the row.
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

// heard tells whether the result, whose row reads as given, says anything about
// the vendor, or about more than single tokens.
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

// unreachable tells whether the vendor was not there. A server's error is an
// answer: it comes at once, and may be about the message.
func unreachable(row classify.Row) bool {
	return row.Level == classify.Transport && (row.Code == classify.Dial || row.Code == classify.Timeout || row.Code == classify.Broken)
}

// quotaAfter is how long flow control that may be a used-up quota is taken for
// flow control.
const quotaAfter = 10 * time.Minute

// TakenForQuota tells whether flow control that has stopped an app for a time is
// by now taken for a used-up quota: then TooFast is carried out as Pause.
func TakenForQuota(row classify.Row, stopped time.Duration) bool {
	return row.Window != "" && stopped >= quotaAfter
}
