package dispatch

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// answer is what one request came to: a row for all its tokens, others for some.
type answer struct {
	row          verdictRow
	unsent       bool // no request was made
	grant        bool // the row answers the request for an access token
	refused      bool // the vendor refuses the access token, a new one too
	inconclusive bool // what the request needed could not be had, for no reason of the vendor's
	withheld     bool // no request is to be made: the parcels were put back
	jobs         int  // of a request with several messages, where it matters how many
	retryAfter   time.Duration
	special      map[int]*verdictRow // by index of the token
	savedGone    bool
}

// call is a request that the gate let through.
type call struct {
	*account.Account
	ticket Admission
	s      shipment
}

// request asks the vendor once. Where it refused the access token, at whichever
// of its calls, that call is made once more with a new one.
func (d *Dispatcher) request(ctx context.Context, a call, reqs []*vendors.Request) answer {
	var ans answer
	g, _ := a.Vendor.(vendors.Granter)
	err := accesstoken.Use(ctx, d.Access, accesstoken.Holder{App: a.App, Vendor: a.Spec.Name, Granter: g, Fingerprint: a.Fingerprint},
		func(access string) bool {
			for _, r := range reqs {
				r.Access = access
			}
			ans = d.exchange(ctx, a, reqs)
			return !ans.withheld && ans.row.Remedy == classify.RefreshAuth
		})
	switch {
	case errors.Is(err, accesstoken.ErrRefused):
		ans.refused = true
		d.read(a, &ans)
		d.tell(ctx, a, &ans)
	case err != nil:
		return d.noAccess(ctx, a, err)
	}
	return ans
}

// exchange makes the request with the access token that reqs have, and before it
// saves the message where the vendor wants that. A message that the vendor lost
// is saved once more.
func (d *Dispatcher) exchange(ctx context.Context, a call, reqs []*vendors.Request) answer {
	for resaved := false; ; resaved = true {
		for _, r := range reqs {
			r.Now = d.Now() // what is signed with a time is signed anew
		}
		if ans, ok := d.save(ctx, a, reqs); !ok {
			return ans
		}
		if !d.commit(ctx, a.s) || d.withhold(ctx, a.s) {
			return answer{withheld: true}
		}
		done := d.noteSent(ctx, a.s)
		ans := d.ask(ctx, a, reqs)
		done()
		if !ans.savedGone || resaved {
			return ans
		}
		if err := d.Saved.Forget(ctx, saving(a, reqs[0]), reqs[0].UploadID); err != nil {
			d.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a saved message that the vendor lost cannot be forgotten")
			return ans
		}
	}
}

// save gets the saved message that the requests need; false means that there is
// none, and the answer says why.
func (d *Dispatcher) save(ctx context.Context, a call, reqs []*vendors.Request) (answer, bool) {
	first := reqs[0]
	s, ok := a.Vendor.(vendors.Uploader)
	if !ok || len(reqs) > 1 || !s.NeedsUpload(first) {
		return answer{}, true
	}
	id, err := d.Saved.ID(ctx, saving(a, first), func(ctx context.Context) (vendors.Uploaded, error) { return s.Upload(ctx, first) })
	if err == nil {
		first.UploadID = id
		return answer{}, true
	}
	if ctx.Err() != nil {
		return d.givenUp(a, true), false
	}
	ans := d.lookupError(a, err)
	ans.unsent = true
	if ours(err) {
		ans.inconclusive = true
		return ans, false
	}
	d.report(ctx, a, &ans, 0, 0)
	return ans, false
}

func saving(a call, r *vendors.Request) upload.Message {
	return upload.Message{App: a.App, Vendor: a.Spec.Name, Key: r.Key}
}

func count(reqs []*vendors.Request) int {
	n := 0
	for _, r := range reqs {
		n += len(r.Tokens)
	}
	return n
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
		d.report(ctx, a, &ans, count(reqs), took)
		return ans
	}
	got = got.Believed(a.Codes)
	ans := answer{row: d.lookup(a, got.Code), retryAfter: got.RetryAfter, savedGone: got.UploadGone}
	ans.row.asked = asked
	if len(got.Tokens) > 0 {
		ans.special = d.lookupTokens(a, got.Tokens, asked)
		d.heed(ctx, a, &ans)
	}
	d.report(ctx, a, &ans, count(reqs), took)
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

// heed tells the gate if what the vendor said of a token concerns more than it:
// its job, the whole app, or a bucket of it.
func (d *Dispatcher) heed(ctx context.Context, a call, ans *answer) {
	told := map[*verdictRow]bool{}
	for _, row := range ans.special {
		wide := row.Scope == classify.ScopeApp || row.Bucket != "" || parks(row.Row)
		if wide && row.Class != classify.Success && !told[row] {
			told[row] = true
			d.answered(ctx, a, row, Finding{Row: row.Row, RetryAfter: ans.retryAfter, Jobs: a.s.jobsOf(ans, row)})
		}
	}
}

// jobsOf are the jobs of the tokens that got a configuration error.
func (s shipment) jobsOf(ans *answer, row *verdictRow) []Job {
	if row.Remedy != classify.Config {
		return nil
	}
	if row == &ans.row {
		return jobs(s.spans())
	}
	var mine []span
	at := 0
	for _, p := range s.spans() {
		for i := range p.tokens {
			if ans.special[at+i] == row {
				mine = append(mine, p)
				break
			}
		}
		at += len(p.tokens)
	}
	return jobs(mine)
}

// parks tells whether the gate parks the jobs that get the row.
func parks(row classify.Row) bool {
	return row.Remedy == classify.Config && row.Scope != classify.ScopeToken
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
		return a.Vendor.(vendors.MixedSender).SendMixed(ctx, reqs) //nolint:forcetypeassert // several go to a Multi only
	}
	return a.Vendor.Send(ctx, reqs[0])
}

// noAccess is the answer when no access token could be had.
func (d *Dispatcher) noAccess(ctx context.Context, a call, err error) answer {
	if ctx.Err() != nil {
		return d.givenUp(a, true)
	}
	ans := d.lookupError(a, err)
	ans.unsent = true
	if ours(err) {
		ans.inconclusive = true
		return ans
	}
	ans.grant = true
	d.read(a, &ans)
	if ans.row.Remedy == classify.Config || ans.row.Level == classify.Transport || ans.row.Level == classify.HTTP {
		d.tell(ctx, a, &ans)
	}
	return ans
}

// givenUp is the answer when the task was taken from us while we waited for the
// vendor: the worker stops, or lost its lease. That is nothing that the vendor
// did, so neither gate nor meter hears of it, and no attempt counts.
func (d *Dispatcher) givenUp(a call, unsent bool) answer {
	ans := answer{row: d.lookup(a, classify.Code{Level: classify.Transport, Code: classify.Canceled}), unsent: unsent, inconclusive: true}
	ans.row.asked = d.Now()
	return ans
}

// ours tells whether the vendor has no part in an error: Redis is away, or the
// worker stops.
func ours(err error) bool {
	_, vendors := errors.AsType[*vendors.Error](err)
	return !vendors
}

func (d *Dispatcher) lookupError(a call, err error) answer {
	var v *vendors.Error
	if !errors.As(err, &v) {
		v = &vendors.Error{Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: err}
	}
	ans := answer{row: d.lookup(a, vendors.Believed(a.Codes, v.Status, v.Code)), unsent: v.Unsent, retryAfter: v.RetryAfter}
	if ans.row.text == "" && v.Err != nil {
		ans.row.text = httpx.Redact(v.Err.Error())
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
func (d *Dispatcher) report(ctx context.Context, a call, ans *answer, tokens int, took time.Duration) {
	d.Meter.Request(a.Account, ans.row.Row, tokens, took)
	d.read(a, ans)
	d.tell(ctx, a, ans)
}

// read takes the row as the circumstances have it.
func (d *Dispatcher) read(a call, ans *answer) {
	if len(a.s) > 1 && ans.row.Remedy == classify.Config {
		ans.jobs = len(jobs(a.s.spans()))
	}
	ans.row.Row = a.s.result(a.ticket, ans, &ans.row).Reading()
}

// tell tells the gate what all tokens of the request got.
func (d *Dispatcher) tell(ctx context.Context, a call, ans *answer) {
	d.answered(ctx, a, &ans.row, Finding{
		Row: ans.row.Row, RetryAfter: ans.retryAfter, Grant: ans.grant || ans.refused, Jobs: a.s.jobsOf(ans, &ans.row),
	})
}

// answered tells the gate, and notes until when it parked the jobs.
func (d *Dispatcher) answered(ctx context.Context, a call, row *verdictRow, s Finding) {
	row.until = d.Gate.Answered(ctx, a.Account, a.ticket, s)
}
