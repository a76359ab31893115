package dispatch

import (
	"math"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// Account is one app at one vendor.
type Account struct {
	App    string
	Spec   vendors.Spec
	Vendor vendors.Vendor
	Codes  *classify.Table
	// Batch is the most tokens of one request, Timeout the longest time of one.
	Batch   int
	Timeout time.Duration
	// Rate is how many Spec.Units a second the app may send; 0: no limit.
	Rate float64
	// Shared: another app uses the vendor too.
	Shared bool
	// Fingerprint changes with the credentials.
	Fingerprint string
	// Receipts: the account takes receipts.
	Receipts bool
	// ReceiptURL is where the vendor shall send them, if it is told that with
	// every request; "": it is not.
	ReceiptURL string
}

// Units is what a request with n tokens takes of the rate.
func (a *Account) Units(n int) int {
	if a.Spec.Unit == vendors.Requests {
		return 1
	}
	return n
}

// permits is what a request takes of the rate if the vendor has a lower one for
// its message: so many more that those that go out keep to it. Then others get
// less, which a limit of its own in Redis would spare them; it is rare.
func (a *Account) permits(m *push.Message, n int) int {
	units := a.Units(n)
	v, ok := a.Vendor.(vendors.Paced)
	if !ok {
		return units
	}
	if pace := v.Pace(m); pace > 0 && pace < a.Rate {
		return int(math.Ceil(float64(units) * a.Rate / pace))
	}
	return units
}

// batch is the most tokens of one request with the message.
func (a *Account) batch(m *push.Message) int {
	if m.Test && a.Spec.TestBatch > 0 {
		return min(a.Batch, a.Spec.TestBatch)
	}
	return a.Batch
}

// many is the most tokens of a request with different messages; 0: the vendor
// has no such request.
func (a *Account) many() int {
	if _, ok := a.Vendor.(vendors.MixedSender); !ok {
		return 0
	}
	return min(a.Spec.MaxMixed, a.Batch)
}

// mixes tells whether the parcel may share a request with other messages.
func (a *Account) mixes(p *parcel) bool {
	if a.many() == 0 || p.alone {
		return false
	}
	s, ok := a.Vendor.(vendors.Uploader)
	return !ok || !s.NeedsUpload(&vendors.Request{Message: p.message, Tokens: p.tokens()})
}

// bundle distributes parcels over requests: one each or, where the vendor takes
// different messages at once, as many as fit. limit, if not 0, is the most
// tokens of a request.
func (a *Account) bundle(parcels []*parcel, limit int) []shipment {
	most := a.many()
	if limit > 0 {
		most = min(most, limit)
	}
	var all []shipment
	open := map[string]*bundle{}
	for _, p := range parcels {
		tokens := p.tokens()
		if p.n > most/2 || !a.mixes(p) {
			all = append(all, shipment{p})
			continue
		}
		quotas := a.quotas(p)
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
func (a *Account) quotas(p *parcel) string {
	return strings.Join(a.Spec.Buckets(p.message, p.n), "\n")
}
