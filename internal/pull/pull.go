// Package pull fetches the lists of dead tokens that vendors keep apart from
// their answers and receipts, and hands them to the feed.
//
// It knows when an app's list is due, that a page may be gone from the vendor
// once it was answered, and Redis as far as the schedule goes. It refuses to
// know any vendor's format, what a code means, and where the feed puts things.
package pull

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/credential"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// every is how often a list is pulled to its end.
	every = time.Hour
	// firstWait is the wait after a first failure; it doubles up to every.
	firstWait = time.Minute
	// look is how often it is looked whether a list is due.
	look = 15 * time.Second
	// mostPages bounds one pull of a list that does not end; the next one goes on.
	mostPages = 2000
)

// Account is one app at one vendor that keeps a list.
type Account struct {
	App, Vendor string
	Puller      vendors.Puller
	// Granter obtains the access token; nil: there is none.
	Granter     vendors.Granter
	Fingerprint string
	Codes       *classify.Table
	// Timeout bounds one request.
	Timeout time.Duration
}

// Feed takes invalid tokens.
type Feed interface {
	Feed(ctx context.Context, f ledger.Found) (added int, standing ledger.Standing, err error)
}

// Meter counts.
type Meter interface {
	// Pulled counts a request for a page.
	Pulled(app, vendor string, ok bool)
	// Invalid counts n entries that the feed got, or that are held.
	Invalid(app, vendor string, n int, held bool)
	// Lost counts tokens that were on a list and could not be kept.
	Lost(app, vendor string, tokens int)
}

// Puller pulls lists. One worker at a time is to run it: two would each get a
// part of every list, which is harmless.
type Puller struct {
	Redis  redis.UniversalClient
	Access credential.Source
	Feed   Feed
	Meter  Meter
	Log    zerolog.Logger
	// Accounts are those that keep a list; what it answers may change at any time.
	Accounts func() []Account
	// Stopping is closed when the worker stops: what was pulled is kept soon, or
	// given up. Nil: it never does.
	Stopping <-chan struct{}
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (p *Puller) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// Wanted tells whether any account keeps a list.
func (p *Puller) Wanted() bool { return len(p.Accounts()) > 0 }

// Run pulls what is due, one list after the other, until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	for ctx.Err() == nil && p.Wanted() {
		for _, a := range p.Accounts() {
			p.Due(ctx, a)
		}
		rest(ctx, look)
	}
}

// Due pulls an account's list to its end, if it is due. What goes wrong is told
// once, and the list is due again after a growing wait.
func (p *Puller) Due(ctx context.Context, a Account) {
	s, err := p.schedule(ctx, a)
	began := p.now()
	if err != nil || ctx.Err() != nil || began.Before(s.next) {
		return // Redis is away: others say so
	}
	n, err := p.pull(ctx, a, cmp.Or(s.done, began))
	if n > 0 {
		p.Log.Info().Str("app", a.App).Str("vendor", a.Vendor).Int("tokens", n).Msg("dead tokens were pulled from the vendor's list")
	}
	switch {
	case err == nil:
		s = plan{done: began, next: began.Add(every)}
	case ctx.Err() != nil:
		return // it stays due, for another worker
	default:
		if s.failures == 0 {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Vendor).Msg("the vendor's list of dead tokens cannot be pulled: it is tried again")
		}
		s.next = p.now().Add(wait(s.failures, err))
		s.failures++
	}
	if err := p.plan(ctx, a, s); err != nil {
		p.Log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Vendor).Msg("a list of dead tokens will be pulled again too soon")
	}
}

// wait is how long a list rests after so many failures before this one.
func wait(failures int, err error) time.Duration {
	w := min(every, firstWait<<min(failures, 10))
	if e, ok := errors.AsType[*vendors.Error](err); ok {
		w = max(w, e.RetryAfter)
	}
	return w
}

// pull pulls page after page, and keeps each before the next. since is when the
// list was last pulled: nobody knows when after that its tokens died.
func (p *Puller) pull(ctx context.Context, a Account, since time.Time) (int, error) {
	n := 0
	for range mostPages {
		got, err := p.request(ctx, a)
		p.Meter.Pulled(a.App, a.Vendor, err == nil)
		if err != nil {
			return n, err
		}
		if got.Unreadable > 0 {
			p.Meter.Lost(a.App, a.Vendor, got.Unreadable)
			p.Log.Error().Str("app", a.App).Str("vendor", a.Vendor).Int("items", got.Unreadable).Msg("the vendor's list of dead tokens has items that are none")
		}
		if len(got.Tokens) == 0 {
			return n, nil
		}
		if err := p.keep(ctx, a, got, since); err != nil {
			return n, err
		}
		n += len(got.Tokens)
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
	}
	return n, nil
}

// request asks for one page, with an access token that the vendor takes. It is not
// broken off when ctx ends: the page might be lost.
func (p *Puller) request(ctx context.Context, a Account) (got vendors.Pulled, err error) {
	h := credential.Holder{App: a.App, Vendor: a.Vendor, Granter: a.Granter, Fingerprint: a.Fingerprint}
	used := credential.Use(ctx, p.Access, h, func(access string) bool {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
		defer cancel()
		got, err = a.Puller.Pull(one, access)
		return a.refused(err)
	})
	if used != nil && !errors.Is(used, credential.ErrRefused) {
		return vendors.Pulled{}, used
	}
	return got, err
}

// refused tells whether the vendor wants another access token.
func (a *Account) refused(err error) bool {
	e, ok := errors.AsType[*vendors.Error](err)
	if !ok {
		return false
	}
	row, _ := a.Codes.Lookup(e.Code.Level, e.Code.Code)
	return row.Remedy == classify.RefreshAuth
}
