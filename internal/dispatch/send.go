package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// shortWait is the longest wait for a permit that a handler sits out; for a
// longer one the task goes back.
const shortWait = time.Second

// send makes the parcel's request and records what the vendor said. The caller
// holds a slot.
func (d *Dispatcher) send(ctx context.Context, a *Account, p *parcel) {
	if !d.admit(ctx, a, p) || !d.dropExpired(ctx, p) || !d.markIntent(ctx, p) {
		return
	}
	req := &vendors.Request{Message: p.message, Tokens: p.tokens(), Key: p.key(), Now: d.Now()}
	req.TTL = max(p.until.Sub(req.Now), time.Second)
	ans := d.request(ctx, a, req)
	d.apply(a, p, ans)
	d.settle(ctx, p.claims()...)
}

// tokens are those of all spans; of a single one without copying.
func (p *parcel) tokens() []string {
	if len(p.spans) == 1 {
		return p.spans[0].tokens
	}
	all := make([]string, 0, p.n)
	for _, s := range p.spans {
		all = append(all, s.tokens...)
	}
	return all
}

// admit waits for a permit; false means that the parcel goes back.
func (d *Dispatcher) admit(ctx context.Context, a *Account, p *parcel) bool {
	for {
		wait, why, err := d.Gate.Admit(ctx, a, p.priority, a.Units(p.n))
		switch {
		case err != nil:
			p.again(d.Now().Add(time.Second), "permit: "+err.Error())
			return false
		case wait <= 0:
			return true
		case wait > shortWait:
			p.again(d.Now().Add(wait+time.Duration(float64(wait/8)*jitter())), why)
			return false
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-d.draining:
			t.Stop()
			p.again(d.Now(), "the worker is stopping")
			return false
		case <-ctx.Done():
			t.Stop()
			p.again(d.Now(), "the task was taken back")
			return false
		}
	}
}

// dropExpired ends what expired while it waited; false means that nothing is left.
func (d *Dispatcher) dropExpired(ctx context.Context, p *parcel) bool {
	now := d.Now().UnixMilli()
	left, expired := p.spans[:0:0], p.claims()
	for _, s := range p.spans {
		if now < s.c.open.Chunk.Entries[s.entry].Expires {
			left = append(left, s)
			continue
		}
		s.c.mu.Lock()
		for i, token := range s.tokens {
			s.c.end(s.entry, s.place(i), token, retry.Decision{Outcome: wire.Expired}, nil)
		}
		s.c.mu.Unlock()
		p.n -= len(s.tokens)
	}
	if len(left) < len(p.spans) {
		p.spans = left
		d.settle(ctx, expired...)
	}
	return len(p.spans) > 0
}

// markIntent records, for at-most-once jobs, that the request is about to be
// made; false means that this run may not make it.
func (d *Dispatcher) markIntent(ctx context.Context, p *parcel) bool {
	marked := false
	for _, s := range p.spans {
		if !s.c.open.Chunk.Entries[s.entry].AtMostOnce {
			continue
		}
		marked = true
		s.c.mu.Lock()
		s.c.pending()
		for i := range s.tokens {
			s.c.intend(s.place(i))
		}
		s.c.mu.Unlock()
	}
	if !marked {
		return true
	}
	claims := p.claims()
	d.settle(ctx, claims...)
	ok := true
	for _, c := range claims {
		c.mu.Lock()
		ok = ok && !c.lost && c.step == nil
		c.mu.Unlock()
	}
	if !ok {
		d.takeBack(ctx, p)
	}
	return ok
}

// takeBack undoes the marks of a request that is not made after all.
func (d *Dispatcher) takeBack(ctx context.Context, p *parcel) {
	for _, s := range p.spans {
		s.c.mu.Lock()
		s.c.pending()
		for i := range s.tokens {
			s.c.unmark(s.place(i))
		}
		s.c.mu.Unlock()
	}
	p.again(d.Now().Add(time.Second), "another worker took a chunk of this request over")
	d.settle(ctx, p.claims()...)
}

// answer is what one request came to: a row for all its tokens, others for some.
type answer struct {
	row        verdictRow
	uncertain  bool
	retryAfter time.Duration
	special    map[int]verdictRow // by index of the token
}

// request asks the vendor once, and once more with a new access token if the
// old one was refused.
func (d *Dispatcher) request(ctx context.Context, a *Account, req *vendors.Request) answer {
	g, granted := a.Vendor.(vendors.Granter)
	for again := false; ; again = true {
		if granted {
			access, err := d.Access.Access(ctx, a.App, a.Spec.Name, g, a.Fingerprint)
			if err != nil {
				return d.refused(a, len(req.Tokens), err)
			}
			if again && access == req.Access {
				return d.stop(a) // the vendor has none that it would take
			}
			req.Access = access
		}
		ans := d.ask(ctx, a, req)
		if ans.row.Remedy != classify.RefreshAuth {
			return ans
		}
		if !granted || again {
			return d.stopped(ans)
		}
		if err := d.Access.Invalidate(ctx, a.App, a.Spec.Name, req.Access); err != nil {
			d.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("access token cannot be taken back")
			return ans
		}
	}
}

// stopped turns an answer about the access token that a new one did not mend
// into a configuration error.
func (d *Dispatcher) stopped(ans answer) answer {
	ans.row.Class, ans.row.Remedy, ans.row.Scope = classify.Permanent, classify.Config, classify.ScopeApp
	return ans
}

func (d *Dispatcher) stop(a *Account) answer {
	row, _ := a.Codes.Lookup(classify.HTTP, "401")
	return d.stopped(answer{row: verdictRow{Row: row, key: row.Key()}})
}

// ask makes the request and looks the answer up.
func (d *Dispatcher) ask(ctx context.Context, a *Account, req *vendors.Request) answer {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	start := time.Now()
	got, err := a.Vendor.Send(ctx, req)
	took := time.Since(start)
	if err != nil {
		ans := d.lookupError(a, err)
		d.report(ctx, a, ans.row.Row, ans.retryAfter, len(req.Tokens), took)
		return ans
	}
	ans := answer{row: d.lookup(a, got.Code), retryAfter: got.RetryAfter}
	ans.uncertain = classify.Uncertain(got.Code.Level, got.Code.Code)
	if len(got.Tokens) > 0 {
		ans.special = make(map[int]verdictRow, len(got.Tokens))
		for _, t := range got.Tokens {
			ans.special[t.Index] = d.lookup(a, t.Code)
		}
	}
	d.report(ctx, a, ans.row.Row, ans.retryAfter, len(req.Tokens), took)
	return ans
}

// refused is the answer when no access token could be had.
func (d *Dispatcher) refused(a *Account, tokens int, err error) answer {
	ans := d.lookupError(a, err)
	ans.uncertain = false // nothing was sent
	if ans.row.Remedy == classify.RefreshAuth {
		ans = d.stopped(ans)
	}
	if ans.row.Class == classify.Permanent || ans.row.Class == classify.TokenInvalid {
		// Whatever is wrong with a grant, it is not the message or its tokens.
		ans = d.stopped(ans)
	}
	d.Meter.Again(a.App, a.Spec.Name, ans.row.Row, tokens)
	return ans
}

func (d *Dispatcher) lookupError(a *Account, err error) answer {
	var v *vendors.Error
	if !errors.As(err, &v) {
		v = &vendors.Error{Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: err}
	}
	ans := answer{row: d.lookup(a, v.Code), retryAfter: v.RetryAfter}
	ans.uncertain = classify.Uncertain(v.Code.Level, v.Code.Code)
	if ans.row.text == "" && v.Err != nil {
		ans.row.text = vendors.Text(v.Err.Error())
	}
	return ans
}

// lookup finds what a code means, and says so once a code is unknown.
func (d *Dispatcher) lookup(a *Account, c classify.Code) verdictRow {
	row, known := a.Codes.Lookup(c.Level, c.Code)
	if !known {
		d.Log.Warn().Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", c.String()).Str("text", c.Text).
			Msg("the vendor answered a code that no table has")
	}
	return verdictRow{Row: row, key: row.Key(), text: c.Text}
}

// report tells meter and gate how the request went.
func (d *Dispatcher) report(ctx context.Context, a *Account, row classify.Row, retryAfter time.Duration, tokens int, took time.Duration) {
	d.Meter.Request(a, row, tokens, took)
	d.Gate.Answered(ctx, a, row, retryAfter)
}

// apply decides for every token of the parcel.
func (d *Dispatcher) apply(a *Account, p *parcel, ans answer) {
	now, i := d.Now(), 0
	for k := range p.spans {
		s := &p.spans[k]
		s.c.mu.Lock()
		e := s.c.open.Chunk.Entries[s.entry]
		state := retry.State{
			Tokens: p.n, AtMostOnce: e.AtMostOnce, Now: now, Expires: time.UnixMilli(e.Expires), Jitter: jitter(),
			QuotaReset: retry.BeijingMidnight(now),
		}
		d.applySpan(a, s, state, ans, i)
		i += len(s.tokens)
		s.c.mu.Unlock()
	}
}

// applySpan decides for the tokens of one span, of which the first is number
// base of the request. Tokens of the same row and attempt share a decision.
func (d *Dispatcher) applySpan(a *Account, s *span, state retry.State, ans answer, base int) {
	var last retry.Decision
	var lastRow *verdictRow
	common := &ans.row
	lastAttempt, again := -1, 0
	job := s.c.job(s.entry)
	for i, token := range s.tokens {
		row := common
		if special, ok := ans.special[base+i]; ok {
			row = &special
		}
		at := s.place(i)
		s.c.unmark(at)
		attempt := min(int(s.c.states[at])+1, wire.MaxAttempts)
		if row != lastRow || attempt != lastAttempt {
			state.Attempt = attempt
			last = retry.Decide(d.Policy, retry.Result{Row: row.Row, Uncertain: ans.uncertain && row == common, RetryAfter: ans.retryAfter}, state)
			lastRow, lastAttempt = row, attempt
		}
		job.Codes[row.key]++
		if last.Verdict == retry.End {
			s.c.end(s.entry, at, token, last, row)
			continue
		}
		again++
		s.c.putBack(at, attempt, last, row, state)
	}
	if again > 0 {
		d.Meter.Again(a.App, a.Spec.Name, common.Row, again)
	}
}

// putBack notes that a token is to be sent again.
func (c *claim) putBack(at, attempt int, d retry.Decision, row *verdictRow, s retry.State) {
	if d.Counted {
		c.states[at] = byte(attempt)
	}
	when := d.At
	if d.Verdict == retry.Halve {
		c.cap = max(1, s.Tokens/2)
		when = s.Now
	}
	reason := row.key + ": " + row.reason()
	c.later(when, reason, d.Counted)
}
