package group

import (
	"strings"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/vendors"
)

// mayMix reports whether the batch may share a request with other messages.
func mayMix[C comparable](a *account.Account, b *Batch[C]) bool {
	if a.MaxMixed() == 0 || b.Exclusive {
		return false
	}
	u, ok := a.Vendor.(vendors.Uploader)
	return !ok || !u.NeedsUpload(&vendors.Request{Message: b.Message, Tokens: b.Tokens()})
}

// Mix distributes batches over requests: one each or, where the vendor takes
// different messages at once, as many as fit. limit is the most tokens of a mixed
// request; 0: only the account limits them.
func Mix[C comparable](a *account.Account, batches []*Batch[C], limit int) []Batches[C] {
	most := a.MaxMixed()
	if limit > 0 {
		most = min(most, limit)
	}
	var all []Batches[C]
	open := map[string]*openMix{}
	for _, b := range batches {
		if b.Count > most/2 || !mayMix(a, b) {
			all = append(all, Batches[C]{b})
			continue
		}
		tokens, quotas := b.Tokens(), quotasOf(a, b)
		m := open[quotas]
		if m == nil || m.count+b.Count > most || m.tokens.hasAny(tokens) {
			m = &openMix{at: len(all), tokens: tokenSet{}}
			open[quotas] = m
			all = append(all, nil)
		}
		all[m.at] = append(all[m.at], b)
		m.count += b.Count
		m.tokens.add(tokens)
	}
	return all
}

// openMix is a mixed request that other batches may still join.
type openMix struct {
	at     int // among all requests
	count  int // of its tokens
	tokens tokenSet
}

// quotasOf are the quotas that count a batch. Only messages with the same ones
// share a request: else one whose quota is used up would keep the others waiting.
func quotasOf[C comparable](a *account.Account, b *Batch[C]) string {
	return strings.Join(a.Spec.Buckets(b.Message, b.Count), "\n")
}
