package dispatch

import (
	"strings"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/vendors"
)

// mixes tells whether the parcel may share a request with other messages.
func mixes(a *account.Account, p *parcel) bool {
	if a.MaxMixed() == 0 || p.alone {
		return false
	}
	s, ok := a.Vendor.(vendors.Uploader)
	return !ok || !s.NeedsUpload(&vendors.Request{Message: p.message, Tokens: p.tokens()})
}

// bundled distributes parcels over requests: one each or, where the vendor takes
// different messages at once, as many as fit. limit, if not 0, is the most
// tokens of a request.
func bundled(a *account.Account, parcels []*parcel, limit int) []shipment {
	most := a.MaxMixed()
	if limit > 0 {
		most = min(most, limit)
	}
	var all []shipment
	open := map[string]*bundle{}
	for _, p := range parcels {
		tokens := p.tokens()
		if p.n > most/2 || !mixes(a, p) {
			all = append(all, shipment{p})
			continue
		}
		quotas := quotas(a, p)
		b := open[quotas]
		// A token twice in one request could not be told apart in the answer.
		if b == nil || b.n+p.n > most || twice(b.seen, tokens) {
			b = &bundle{at: len(all), seen: map[string]struct{}{}}
			open[quotas] = b
			all = append(all, nil)
		}
		all[b.at] = append(all[b.at], p)
		b.n += p.n
		for _, t := range tokens {
			b.seen[t] = struct{}{}
		}
	}
	return all
}

// bundle is a shipment that others may still join.
type bundle struct {
	at, n int // its place among all, its tokens
	seen  map[string]struct{}
}

// quotas are the buckets of a parcel. Only messages with the same ones share a
// request: else one whose quota is used up would hold the others up.
func quotas(a *account.Account, p *parcel) string {
	return strings.Join(a.Spec.Buckets(p.message, p.n), "\n")
}
