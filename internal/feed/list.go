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
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// listEvery is the time between two pulls of a list.
	listEvery = time.Hour
	// listFirstWait is the wait after the first failure; it doubles up to listEvery.
	listFirstWait = time.Minute
	// listCheckEvery is the time between two checks whether a list is due.
	listCheckEvery = 15 * time.Second
	// mostPages bounds one pull of a list that does not end; the next pull continues.
	mostPages = 2000
)

// Sink adds invalid tokens to the feed.
type Sink interface {
	Feed(ctx context.Context, f ledger.Found) (added int, standing ledger.Standing, err error)
}

// ListMeter counts what a Puller does.
type ListMeter interface {
	// Pulled counts a request for a page of a list.
	Pulled(app, vendor string, ok bool)
	// Invalid counts n entries that entered the feed or the quarantine (held).
	Invalid(app, vendor string, n int, quarantined bool)
	// Lost counts tokens of a list that could not be stored.
	Lost(app, vendor string, tokens int)
}

// Puller pulls the vendors' lists of invalid tokens. Only one worker at a time
// should run it; two would each get a part of every list, which is harmless.
type Puller struct {
	Redis  redis.UniversalClient
	Access accesstoken.Source
	Feed   Sink
	Meter  ListMeter
	Log    zerolog.Logger
	// Accounts returns the accounts in force. Those whose vendor has no list are
	// ignored.
	Accounts func() []*account.Account
	// Stopping is closed when the worker stops: pulled tokens are then stored within
	// listStoreAtEnd or lost. Nil: the worker never stops.
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

// Wanted reports whether any account's vendor has a list.
func (p *Puller) Wanted() bool { return len(p.lists()) > 0 }

// lists returns the accounts whose vendor has a list.
func (p *Puller) lists() []*account.Account {
	return slices.DeleteFunc(p.Accounts(), func(a *account.Account) bool {
		v, ok := a.Vendor.(vendors.ListFetcher)
		return !ok || !v.HasList()
	})
}

// Run pulls lists that are due, one after the other, until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	for ctx.Err() == nil && p.Wanted() {
		for _, a := range p.lists() {
			p.Due(ctx, a)
		}
		coord.Sleep(ctx, listCheckEvery)
	}
}

// Due pulls an account's list to its end if it is due. After a failure, the list is
// due again after a growing wait; only the first failure is logged.
func (p *Puller) Due(ctx context.Context, a *account.Account) {
	s, err := p.schedule(ctx, a)
	began := p.now()
	if err != nil || ctx.Err() != nil || began.Before(s.Next) {
		return // other components log errors of Redis
	}
	n, err := p.pull(ctx, a, cmp.Or(s.Done, began))
	if n > 0 {
		p.Log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Int("tokens", n).Msg("pulled invalid tokens from the vendor's list")
	}
	switch {
	case err == nil:
		s = wire.PullPlan{Done: began, Next: began.Add(listEvery)}
	case ctx.Err() != nil:
		return // the list stays due for another worker
	default:
		if s.Failures == 0 {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("pull the vendor's list of invalid tokens: it is retried")
		}
		s.Next = p.now().Add(listWait(s.Failures, err))
		s.Failures++
	}
	if err := p.plan(ctx, a, s); err != nil {
		p.Log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("store when the list of invalid tokens is due: it is pulled again too early")
	}
}

// listWait is the wait after an error that follows this number of failures.
func listWait(failures int, err error) time.Duration {
	w := min(listEvery, listFirstWait<<min(failures, 10))
	if e, ok := errors.AsType[*vendors.Error](err); ok {
		w = max(w, e.RetryAfter)
	}
	return w
}

// pull pulls page after page, and stores each before it requests the next. since is
// the time of the last pull: the tokens became invalid at an unknown time after it.
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
			p.Log.Error().Str("app", a.App).Str("vendor", a.Spec.Name).Int("items", got.Unreadable).Msg("the vendor's list of invalid tokens has unreadable items: they are lost")
		}
		if len(got.Tokens) == 0 {
			return n, nil
		}
		if err := p.store(ctx, a, got, since); err != nil {
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

// refused reports whether the vendor refused the access token.
func refused(a *account.Account, err error) bool {
	e, ok := errors.AsType[*vendors.Error](err)
	if !ok {
		return false
	}
	row, _ := a.Codes.Lookup(e.Code.Level, e.Code.Code)
	return row.Remedy == classify.RefreshAuth
}
