package dispatch

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/postrider/postrider/internal/saved"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// answer is what one request came to: a row for all its tokens, others for some.
type answer struct {
	row        verdictRow
	unsent     bool // no request was made
	noWord     bool // what it came to says nothing of the tokens
	withheld   bool // nor is one to be made: the parcels were put back
	retryAfter time.Duration
	special    map[int]*verdictRow // by index of the token
	savedGone  bool
}

// call is a request that the gate let through.
type call struct {
	*Account
	ticket Ticket
}

// request asks the vendor once; and once more with a new access token if the
// old one was refused, or with a message saved anew if the vendor lost it.
func (d *Dispatcher) request(ctx context.Context, a call, s shipment, reqs []*vendors.Request) answer {
	for resaved, renewed, fresh := false, false, false; ; {
		if ans, ok := d.prepare(ctx, a, reqs, fresh); !ok {
			return ans
		}
		if !d.commit(ctx, s) || d.withhold(ctx, s) {
			return answer{withheld: true}
		}
		done := d.noteSent(ctx, s)
		ans := d.ask(ctx, a, reqs)
		done()
		fresh = false
		var err error
		switch {
		case ans.savedGone && !resaved:
			resaved = true
			err = d.Saved.Forget(ctx, saving(a, reqs[0]), reqs[0].Saved)
		case ans.row.Remedy != classify.RefreshAuth:
			return ans
		case reqs[0].Access == "" || renewed:
			return d.stopped(ctx, a, ans)
		default:
			renewed, fresh = true, true
			err = d.Access.Invalidate(ctx, a.App, a.Spec.Name, reqs[0].Access)
		}
		if err != nil {
			d.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("what the vendor refused cannot be taken back")
			return ans
		}
	}
}

// prepare gets the access token and the saved message that the requests need;
// false means that one could not be had, and the answer says why. fresh: the
// vendor has just refused the last access token.
func (d *Dispatcher) prepare(ctx context.Context, a call, reqs []*vendors.Request, fresh bool) (answer, bool) {
	first := reqs[0]
	for _, r := range reqs {
		r.Now = d.Now() // what is signed with a time is signed anew
	}
	if g, ok := a.Vendor.(vendors.Granter); ok {
		access, err := d.Access.Access(ctx, a.App, a.Spec.Name, g, a.Fingerprint)
		if err != nil && ctx.Err() != nil {
			return d.givenUp(a, true), false
		}
		if err != nil {
			return d.refused(ctx, a, err), false
		}
		if fresh && access == first.Access {
			return d.stop(ctx, a), false // the vendor has none that it would take
		}
		for _, r := range reqs {
			r.Access = access
		}
	}
	if s, ok := a.Vendor.(vendors.Saver); ok && len(reqs) == 1 && s.Saves(first) {
		id, err := d.Saved.ID(ctx, saving(a, first), func(ctx context.Context) (vendors.Saved, error) { return s.Save(ctx, first) })
		if err != nil && ctx.Err() != nil {
			return d.givenUp(a, true), false
		}
		if err != nil {
			ans := d.lookupError(a, err)
			ans.unsent = true
			d.report(ctx, a, ans, 0, 0)
			return ans, false
		}
		first.Saved = id
	}
	return answer{}, true
}

func saving(a call, r *vendors.Request) saved.Message {
	return saved.Message{App: a.App, Vendor: a.Spec.Name, Key: r.Key}
}

func count(reqs []*vendors.Request) int {
	n := 0
	for _, r := range reqs {
		n += len(r.Tokens)
	}
	return n
}

// stopped turns an answer about the access token that a new one did not mend
// into a configuration error, and has the gate stop the account.
func (d *Dispatcher) stopped(ctx context.Context, a call, ans answer) answer {
	ans.row.Class, ans.row.Remedy, ans.row.Scope = classify.Permanent, classify.Config, classify.ScopeApp
	d.Gate.Answered(ctx, a.Account, a.ticket, ans.row.Row, ans.retryAfter)
	return ans
}

func (d *Dispatcher) stop(ctx context.Context, a call) answer {
	row, _ := a.Codes.Lookup(classify.HTTP, "401")
	return d.stopped(ctx, a, answer{row: verdictRow{Row: row, key: row.Key()}})
}

// ask makes the request and looks the answer up.
func (d *Dispatcher) ask(ctx context.Context, a call, reqs []*vendors.Request) answer {
	limited, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	asked, start := d.Now(), time.Now()
	got, err := d.ship(limited, a, reqs)
	took := time.Since(start)
	if err != nil && ctx.Err() != nil {
		v, ok := errors.AsType[*vendors.Error](err)
		return d.givenUp(a, ok && v.Unsent)
	}
	if err != nil {
		ans := d.lookupError(a, err)
		ans.row.asked = asked
		d.report(ctx, a, ans, count(reqs), took)
		return ans
	}
	got = got.Believed(a.Codes)
	ans := answer{row: d.lookup(a, got.Code), retryAfter: got.RetryAfter, savedGone: got.SavedGone}
	ans.row.asked = asked
	if len(got.Tokens) > 0 {
		ans.special = d.lookupTokens(a, got.Tokens, asked)
		d.heed(ctx, a, ans)
	}
	d.report(ctx, a, ans, count(reqs), took)
	return ans
}

// lookupTokens finds what the answers for single tokens mean. Tokens with the
// same answer share a row.
func (d *Dispatcher) lookupTokens(a call, tokens []vendors.TokenCode, asked time.Time) map[int]*verdictRow {
	special, rows := make(map[int]*verdictRow, len(tokens)), map[classify.Code]*verdictRow{}
	for _, t := range tokens {
		row := rows[t.Code]
		if row == nil {
			row = new(d.lookup(a, t.Code))
			row.asked = asked
			rows[t.Code] = row
		}
		special[t.Index] = row
	}
	return special
}

// heed tells the gate if what the vendor said of a token concerns the whole
// app, or a bucket of it.
func (d *Dispatcher) heed(ctx context.Context, a call, ans answer) {
	told := map[string]bool{}
	for _, row := range ans.special {
		wide := row.Scope == classify.ScopeApp || row.Bucket != ""
		if wide && row.Class != classify.Success && !told[row.key] {
			told[row.key] = true
			d.Gate.Answered(ctx, a.Account, a.ticket, row.Row, ans.retryAfter)
		}
	}
}

// errPanic says no more than that: what an adapter panics with may hold tokens.
var errPanic = errors.New("the vendor's adapter panicked")

// ship makes the request. A fault in an adapter costs its own tokens an attempt;
// nobody else would catch it where a task's requests run in goroutines.
func (d *Dispatcher) ship(ctx context.Context, a call, reqs []*vendors.Request) (_ vendors.Answer, err error) {
	defer func() {
		if recover() != nil {
			d.Log.Error().Str("vendor", a.Spec.Name).Bytes("stack", debug.Stack()).Err(errPanic).Msg("send")
			err = errPanic
		}
	}()
	if len(reqs) > 1 {
		return a.Vendor.(vendors.Multi).SendMany(ctx, reqs) //nolint:forcetypeassert // several go to a Multi only
	}
	return a.Vendor.Send(ctx, reqs[0])
}

// refused is the answer when no access token could be had.
func (d *Dispatcher) refused(ctx context.Context, a call, err error) answer {
	ans := d.lookupError(a, err)
	ans.unsent, ans.noWord = true, true
	if ans.row.Remedy == classify.RefreshAuth || ans.row.Class == classify.Permanent || ans.row.Class == classify.TokenInvalid {
		// Whatever is wrong with a grant, it is not the message or its tokens.
		return d.stopped(ctx, a, ans)
	}
	if ans.row.Level == classify.Transport || ans.row.Level == classify.HTTP {
		d.Gate.Answered(ctx, a.Account, a.ticket, ans.row.Row, ans.retryAfter)
	}
	return ans
}

// givenUp is the answer when the task was taken from us while we waited for the
// vendor: the worker stops, or lost its lease. That is nothing that the vendor
// did, so neither gate nor meter hears of it, and no attempt counts.
func (d *Dispatcher) givenUp(a call, unsent bool) answer {
	ans := answer{row: d.lookup(a, classify.Code{Level: classify.Transport, Code: classify.Canceled}), unsent: unsent, noWord: true}
	ans.row.asked = d.Now()
	return ans
}

func (d *Dispatcher) lookupError(a call, err error) answer {
	var v *vendors.Error
	if !errors.As(err, &v) {
		v = &vendors.Error{Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: err}
	}
	ans := answer{row: d.lookup(a, vendors.Believed(a.Codes, v.Status, v.Code)), unsent: v.Unsent, retryAfter: v.RetryAfter}
	if ans.row.text == "" && v.Err != nil {
		ans.row.text = vendors.Text(v.Err.Error())
	}
	return ans
}

// lookup finds what a code means, and says so once a code is unknown.
func (d *Dispatcher) lookup(a call, c classify.Code) verdictRow {
	row, known := a.Codes.Lookup(c.Level, c.Code)
	if !known {
		d.Log.Warn().Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", c.String()).Str("text", c.Text).
			Msg("the vendor answered a code that no table has")
	}
	return verdictRow{Row: row, key: row.Key(), text: c.Text}
}

// report tells meter and gate how the request went.
func (d *Dispatcher) report(ctx context.Context, a call, ans answer, tokens int, took time.Duration) {
	d.Meter.Request(a.Account, ans.row.Row, tokens, took)
	d.Gate.Answered(ctx, a.Account, a.ticket, ans.row.Row, ans.retryAfter)
}
