package retry

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Stage is how far a request got.
type Stage uint8

// The stages. In those before NotSent the vendor may have received the request.
const (
	// Answered: the request was made. The row is the vendor's answer, or says why
	// there is none.
	Answered Stage = iota
	// AccessRefused: the vendor refused the request's access token. It refused a
	// new one too, or there was no new one.
	AccessRefused
	// Abandoned: this worker gave the request up while it waited for the answer.
	Abandoned
	// NotSent: not one byte of the request was written. There was no connection,
	// or the upload that the request needs failed.
	NotSent
	// GrantRefused: no request was made. The row answers the request for an access
	// token.
	GrantRefused
	// Unprepared: no request was made, for a reason that the vendor did not cause,
	// like a Redis that does not answer.
	Unprepared
)

// Sent reports whether the vendor may have received the request.
func (s Stage) Sent() bool { return s < NotSent }

// Result is the result of a request for a token: the row of the answer's code, and
// the circumstances that change the meaning of the row.
type Result struct {
	Row   classify.Row
	Stage Stage
	// OfTokens: the row answers some of the request's tokens, not the whole request.
	OfTokens bool
	// Uncertain: the vendor may have accepted the token nevertheless.
	Uncertain bool
	// Probe: the request had to show whether a stopped app may go on.
	Probe bool
	// Mixed: the request had several messages. SeveralJobs: they were of more than
	// one job.
	Mixed, SeveralJobs bool
	// RetryAfter is how long the vendor asked to wait. 0: it did not ask.
	RetryAfter time.Duration
}

// reading returns the row with the changes for the circumstances: the meaning of a
// code depends on the request that it answers.
func (r Result) reading() classify.Row {
	row := r.Row
	lasting := row.Remedy == classify.RefreshAuth || row.Class == classify.Permanent || row.Class == classify.TokenInvalid
	oneAtFault := row.Remedy == classify.DropBatch || row.Remedy == classify.Config && r.SeveralJobs
	switch {
	case r.Stage == GrantRefused && lasting, r.Stage == AccessRefused && row.Remedy == classify.RefreshAuth:
		// The fault is neither in the message nor in its tokens.
		row.Class, row.Remedy, row.Scope = classify.Permanent, classify.Config, classify.ScopeApp
	case r.Mixed && !r.OfTokens && row.Scope == classify.ScopeBatch && oneAtFault:
		// One of the messages is at fault, and nobody knows which: the request is
		// halved until that message is the only one.
		row.Class, row.Remedy, row.Tries = classify.Permanent, classify.Split, 0
	}
	return row
}

// free reports whether the result says nothing about the token, so that the attempt
// does not count.
func (r Result) free() bool {
	switch r.Stage {
	case GrantRefused, Unprepared, Abandoned:
		return true
	case Answered, AccessRefused, NotSent:
	}
	return r.Probe && r.Row.Level == classify.Transport
}

// CountsTries reports whether Decide needs State.Tries for the result: the row
// limits its tries, or its waits grow with them.
func (r Result) CountsTries() bool {
	if !r.Stage.Sent() {
		return false
	}
	row := r.reading()
	switch row.Remedy {
	case classify.SlowDown:
		return row.Tries > 0 || row.Scope != classify.ScopeApp
	case classify.Config:
		return row.Tries > 0 || row.Scope == classify.ScopeToken
	case classify.Backoff, classify.RefreshAuth, classify.WaitQuota, classify.None, classify.Split, classify.DropBatch, classify.DropToken:
	}
	return row.Tries > 0
}

// RefusesAccess reports whether the answer is about the request's access token. The
// request is then made once more with a new one.
func (r Result) RefusesAccess() bool { return r.Row.Remedy == classify.RefreshAuth }
