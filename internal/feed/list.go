package feed

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// listEvery is how often a list is read to its end.
	listEvery = time.Hour
	// listFirstWait is the wait after a first failure; it doubles up to listEvery.
	listFirstWait = time.Minute
	// listLook is how often it is checked whether a list is due.
	listLook = 15 * time.Second
	// mostPages bounds the reading of a list that does not end; the next time continues.
	mostPages = 2000
)

// ListAccount is one app at a vendor that keeps a list of invalid tokens.
type ListAccount struct {
	App, Vendor string
	Puller      vendors.Puller
	// Granter obtains the access token; nil: the vendor needs none.
	Granter     vendors.Granter
	Fingerprint string
	Codes       *classify.Table
	// Timeout bounds one request.
	Timeout time.Duration
}

// Sink takes invalid tokens.
type Sink interface {
	Feed(ctx context.Context, f ledger.Found) (added int, standing ledger.Standing, err error)
}

// ListMeter counts what a Puller does.
type ListMeter interface {
	// Pulled counts a request for a page of a list.
	Pulled(app, vendor string, ok bool)
	// Invalid counts n entries that were added to the feed, or quarantined.
	Invalid(app, vendor string, n int, held bool)
	// Lost counts tokens of a list that could not be stored.
	Lost(app, vendor string, tokens int)
}

// Puller reads vendors' lists of invalid tokens. One worker at a time is to run it: two
// would each get a part of every list, which does no harm.
type Puller struct {
	Redis  redis.UniversalClient
	Access accesstoken.Source
	Feed   Sink
	Meter  ListMeter
	Log    zerolog.Logger
	// Accounts returns those that keep a list; its result may change at any time.
	Accounts func() []ListAccount
	// Stopping is closed when the worker stops: a page that was read is then stored within
	// seconds, or given up. Nil: it never stops.
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

// Run reads the lists that are due, one after the other, until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	for ctx.Err() == nil && p.Wanted() {
		for _, a := range p.Accounts() {
			p.Due(ctx, a)
		}
		coord.Sleep(ctx, listLook)
	}
}

// Due reads an account's list to its end, if it is due. A failure is logged once, and the
// list is due again after a growing wait.
func (p *Puller) Due(ctx context.Context, a ListAccount) {
	s, err := p.schedule(ctx, a)
	began := p.now()
	if err != nil || ctx.Err() != nil || began.Before(s.next) {
		return // a fault of Redis is logged elsewhere
	}
	n, err := p.pull(ctx, a, cmp.Or(s.done, began))
	if n > 0 {
		p.Log.Info().Str("app", a.App).Str("vendor", a.Vendor).Int("tokens", n).Msg("invalid tokens were read from the vendor's list")
	}
	switch {
	case err == nil:
		s = listPlan{done: began, next: began.Add(listEvery)}
	case ctx.Err() != nil:
		return // it stays due, for another worker
	default:
		if s.failures == 0 {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Vendor).Msg("the vendor's list of invalid tokens cannot be read: it is tried again")
		}
		s.next = p.now().Add(listWait(s.failures, err))
		s.failures++
	}
	if err := p.plan(ctx, a, s); err != nil {
		p.Log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Vendor).Msg("a vendor's list of invalid tokens will be read again too soon")
	}
}

// listWait is how long a list is not read after so many failures before this one.
func listWait(failures int, err error) time.Duration {
	w := min(listEvery, listFirstWait<<min(failures, 10))
	if e, ok := errors.AsType[*vendors.Error](err); ok {
		w = max(w, e.RetryAfter)
	}
	return w
}

// pull reads page after page, and stores each before the next. since is when the list was
// last read: it is not known when after that its tokens became invalid.
func (p *Puller) pull(ctx context.Context, a ListAccount, since time.Time) (int, error) {
	n := 0
	for range mostPages {
		got, err := p.request(ctx, a)
		p.Meter.Pulled(a.App, a.Vendor, err == nil)
		if err != nil {
			return n, err
		}
		if got.Unreadable > 0 {
			p.Meter.Lost(a.App, a.Vendor, got.Unreadable)
			p.Log.Error().Str("app", a.App).Str("vendor", a.Vendor).Int("items", got.Unreadable).Msg("the vendor's list of invalid tokens has items that are not tokens")
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

// request asks for one page, with an access token that the vendor accepts. It is not
// interrupted when ctx ends: the page might be lost.
func (p *Puller) request(ctx context.Context, a ListAccount) (got vendors.Pulled, err error) {
	h := accesstoken.Holder{App: a.App, Vendor: a.Vendor, Granter: a.Granter, Fingerprint: a.Fingerprint}
	used := accesstoken.Use(ctx, p.Access, h, func(access string) bool {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
		defer cancel()
		got, err = a.Puller.Pull(one, access)
		return a.refused(err)
	})
	if used != nil && !errors.Is(used, accesstoken.ErrRefused) {
		return vendors.Pulled{}, used
	}
	return got, err
}

// refused tells whether the vendor wants another access token.
func (a *ListAccount) refused(err error) bool {
	e, ok := errors.AsType[*vendors.Error](err)
	if !ok {
		return false
	}
	row, _ := a.Codes.Lookup(e.Code.Level, e.Code.Code)
	return row.Remedy == classify.RefreshAuth
}
