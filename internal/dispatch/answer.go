package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// answer is what one request came to.
type answer struct {
	// all is what every token got that is not in own.
	all *lookedUp
	own map[int]*lookedUp // by the token's index; nil: no token got another answer
	// rows are each of own, and then all, once.
	rows []*lookedUp
}

// lookedUp is one answer, to the request or to some of its tokens, with its row.
type lookedUp struct {
	retry.Result
	key  string // of the row
	text string // the vendor's own words, or the error's; "": it had none
	// asked is when the request was made: an invalid token is said to be invalid
	// since then, because the phone may register meanwhile.
	asked time.Time
	// parkedUntil is until when the gate parked the jobs for it; zero: it did not.
	parkedUntil time.Time
	// counted is Result.CountsTries, which is asked for every token.
	counted bool
}

// reason is the vendor's own words, or the table's.
func (l *lookedUp) reason() string {
	if l.text != "" {
		return l.text
	}
	return l.Row.Meaning
}

// of is the answer for the request's token i.
func (ans *answer) of(i int) *lookedUp {
	if own, ok := ans.own[i]; ok {
		return own
	}
	return ans.all
}

// complete adds how the answer came about: how far the request got, and what else
// was in it.
func (ans *answer) complete(r *request, stage retry.Stage) *answer {
	mixed := len(r.batches) > 1
	several := mixed && r.batches.SeveralJobs()
	for _, l := range ans.rows {
		l.Stage, l.Uncertain = stage, stage.Sent() && l.Row.Uncertain()
		l.Probe, l.Mixed, l.SeveralJobs = r.admission.Probe != "", mixed, several
		l.counted = l.CountsTries()
	}
	return ans
}

// lookUp finds what the vendor's answer means.
func (d *Dispatcher) lookUp(r *request, got vendors.Answer, asked time.Time) *answer {
	ans := &answer{all: d.lookUpCode(r, got.Code, asked, got.RetryAfter)}
	if len(got.Tokens) > 0 {
		d.lookUpTokens(r, ans, got, asked)
	}
	ans.rows = append(ans.rows, ans.all)
	return ans.complete(r, retry.Answered)
}

// lookUpTokens finds what the answers to single tokens mean. Tokens with the same
// code share a row.
func (d *Dispatcher) lookUpTokens(r *request, ans *answer, got vendors.Answer, asked time.Time) {
	ans.own = make(map[int]*lookedUp, len(got.Tokens))
	byCode := map[classify.Code]*lookedUp{}
	for _, t := range got.Tokens {
		l := byCode[t.Code]
		if l == nil {
			l = d.lookUpCode(r, t.Code, asked, got.RetryAfter)
			l.OfTokens = true
			byCode[t.Code] = l
			ans.rows = append(ans.rows, l)
		}
		ans.own[t.Index] = l
	}
}

// lookUpError finds what an error of the vendor means, which ended a request at a
// stage. An error that is not a vendors.Error is taken for a broken connection.
func (d *Dispatcher) lookUpError(r *request, err error, stage retry.Stage, asked time.Time) *answer {
	var v *vendors.Error
	if !errors.As(err, &v) {
		v = &vendors.Error{Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: err}
	}
	l := d.lookUpCode(r, vendors.ConsistentCode(r.Codes, v.Status, v.Code), asked, v.RetryAfter)
	if l.text == "" && v.Err != nil {
		l.text = httpx.Redact(v.Err.Error())
	}
	return (&answer{all: l, rows: []*lookedUp{l}}).complete(r, stage)
}

// lookUpCode finds what a code means. It logs a code that no table has.
func (d *Dispatcher) lookUpCode(r *request, c classify.Code, asked time.Time, retryAfter time.Duration) *lookedUp {
	row, known := r.Codes.Lookup(c.Level, c.Code)
	if !known {
		d.Log.Warn().Str("app", r.App).Str("vendor", r.Spec.Name).Str("code", c.String()).Str("text", c.Text).
			Msg("the vendor answered a code that no table has")
	}
	return &lookedUp{Result: retry.Result{Row: row, RetryAfter: retryAfter}, key: row.Key(), text: c.Text, asked: asked}
}

// givenUp is the answer if the task was taken from this run while it waited for
// the vendor: the worker stops, or has lost its lease. That is not the vendor's
// doing, so neither gate nor meter hears of it, and no attempt counts.
func (d *Dispatcher) givenUp(r *request, stage retry.Stage) *answer {
	l := d.lookUpCode(r, classify.Code{Level: classify.Transport, Code: classify.Canceled}, d.Now(), 0)
	return (&answer{all: l, rows: []*lookedUp{l}}).complete(r, stage)
}

// tell tells the gate, once, what the answer means for other requests.
func (d *Dispatcher) tell(ctx context.Context, r *request, ans *answer) {
	findings := make([]Finding, 0, len(ans.rows))
	told := make([]*lookedUp, 0, 8) // on the stack, mostly
	for _, l := range ans.rows {
		s := retry.SignalOf(l.Result)
		if s == retry.Nothing {
			continue
		}
		f := Finding{Signal: s, Row: l.Row, RetryAfter: l.RetryAfter}
		if s.Parks() {
			f.Jobs = ans.jobs(r, l)
		}
		findings, told = append(findings, f), append(told, l)
	}
	if len(findings) == 0 {
		return
	}
	for i, until := range d.Gate.Answered(ctx, r.Account, r.admission, findings) {
		told[i].parkedUntil = until
	}
}

// jobs are those whose tokens got an answer: all of the request's, or of single tokens.
func (ans *answer) jobs(r *request, l *lookedUp) []Job {
	segments := r.batches.Segments()
	if !l.OfTokens {
		return jobsOf(segments)
	}
	var got []segment
	i := 0
	for _, s := range segments {
		found := false
		for range s.Tokens {
			found = found || ans.own[i] == l
			i++
		}
		if found {
			got = append(got, s)
		}
	}
	return jobsOf(got)
}
