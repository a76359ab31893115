package feed

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// every is how often a list is pulled to its end.
	listEvery = time.Hour
	// listFirstWait is the wait after a first failure; it doubles up to every.
	listFirstWait = time.Minute
	// look is how often it is looked whether a list is due.
	listLook = 15 * time.Second
	// mostPages bounds one pull of a list that does not end; the next one goes on.
	mostPages = 2000
)

// Feed takes invalid tokens.
type Sink interface {
	Feed(ctx context.Context, f ledger.Found) (added int, standing ledger.Standing, err error)
}

// Meter counts.
type ListMeter interface {
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
	Access accesstoken.Source
	Feed   Sink
	Meter  ListMeter
	Log    zerolog.Logger
	// Accounts returns the accounts in force. Those whose vendor keeps no list are
	// left out.
	Accounts func() []*account.Account
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

// Wanted tells whether any account's vendor keeps a list.
func (p *Puller) Wanted() bool { return len(p.lists()) > 0 }

// lists are the accounts whose vendor keeps a list.
func (p *Puller) lists() []*account.Account {
	return slices.DeleteFunc(p.Accounts(), func(a *account.Account) bool {
		v, ok := a.Vendor.(vendors.ListFetcher)
		return !ok || !v.HasList()
	})
}

// Run pulls what is due, one list after the other, until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	for ctx.Err() == nil && p.Wanted() {
		for _, a := range p.lists() {
			p.Due(ctx, a)
		}
		coord.Sleep(ctx, listLook)
	}
}

// Due pulls an account's list to its end, if it is due. What goes wrong is told
// once, and the list is due again after a growing wait.
func (p *Puller) Due(ctx context.Context, a *account.Account) {
	s, err := p.schedule(ctx, a)
	began := p.now()
	if err != nil || ctx.Err() != nil || began.Before(s.next) {
		return // Redis is away: others say so
	}
	n, err := p.pull(ctx, a, cmp.Or(s.done, began))
	if n > 0 {
		p.Log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Int("tokens", n).Msg("dead tokens were pulled from the vendor's list")
	}
	switch {
	case err == nil:
		s = listPlan{done: began, next: began.Add(listEvery)}
	case ctx.Err() != nil:
		return // it stays due, for another worker
	default:
		if s.failures == 0 {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("the vendor's list of dead tokens cannot be pulled: it is tried again")
		}
		s.next = p.now().Add(listWait(s.failures, err))
		s.failures++
	}
	if err := p.plan(ctx, a, s); err != nil {
		p.Log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a list of dead tokens will be pulled again too soon")
	}
}

// wait is how long a list rests after so many failures before this one.
func listWait(failures int, err error) time.Duration {
	w := min(listEvery, listFirstWait<<min(failures, 10))
	if e, ok := errors.AsType[*vendors.Error](err); ok {
		w = max(w, e.RetryAfter)
	}
	return w
}

// pull pulls page after page, and keeps each before the next. since is when the
// list was last pulled: nobody knows when after that its tokens died.
func (p *Puller) pull(ctx context.Context, a *account.Account, since time.Time) (int, error) {
	n := 0
	for range mostPages {
		got, err := p.request(ctx, a)
		p.Meter.Pulled(a.App, a.Spec.Name, err == nil)
		if err != nil {
			return n, err
		}
		if got.Unreadable > 0 {
			p.Meter.Lost(a.App, a.Spec.Name, got.Unreadable)
			p.Log.Error().Str("app", a.App).Str("vendor", a.Spec.Name).Int("items", got.Unreadable).Msg("the vendor's list of dead tokens has items that are none")
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
func (p *Puller) request(ctx context.Context, a *account.Account) (got vendors.ListPage, err error) {
	h := accesstoken.Holder{App: a.App, Vendor: a.Spec.Name, Granter: a.Granter(), Fingerprint: a.Fingerprint}
	used := accesstoken.Use(ctx, p.Access, h, func(access string) bool {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
		defer cancel()
		got, err = a.Vendor.(vendors.ListFetcher).FetchList(one, access)
		return refused(a, err)
	})
	if used != nil && !errors.Is(used, accesstoken.ErrRefused) {
		return vendors.ListPage{}, used
	}
	return got, err
}

// refused tells whether the vendor wants another access token.
func refused(a *account.Account, err error) bool {
	e, ok := errors.AsType[*vendors.Error](err)
	if !ok {
		return false
	}
	row, _ := a.Codes.Lookup(e.Code.Level, e.Code.Code)
	return row.Remedy == classify.RefreshAuth
}
