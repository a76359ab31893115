package vendortest

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// mixed returns n requests with MaxMixed tokens in all.
func (b *bench) mixed(n int) []*vendors.Request {
	b.Helper()
	rs := make([]*vendors.Request, n)
	for i := range rs {
		r := b.request()
		r.Message = &push.Message{Title: fmt.Sprintf("title-%06d", i), Body: "body"}
		r.Key = fmt.Sprintf("%032x", i)
		r.Tokens = nil
		rs[i] = r
	}
	for i := range b.spec.MaxMixed {
		r := rs[i*n/b.spec.MaxMixed]
		r.Tokens = append(r.Tokens, fmt.Sprintf("distinct-token-%06d", i))
	}
	return rs
}

func mixedRequests(s *suite) {
	b := s.bench()
	m, ok := b.vendor.(vendors.MixedSender)
	if !ok {
		return
	}
	b.succeed()
	for _, n := range []int{1, 3, s.spec.MaxMixed} {
		s := s.about("%d messages", n)
		rs := b.mixed(n)
		b.once("SendMixed", func() {
			answer, err := m.SendMixed(s.Context(), rs)
			if got := s.accepted(answer, err, s.spec.MaxMixed); got != s.spec.MaxMixed {
				s.Errorf("%d of %d tokens are accepted (%v)", got, s.spec.MaxMixed, err)
			}
			b.noLeak(answer, err)
		})
		_, body := b.received()
		for i, r := range rs {
			if !strings.Contains(string(body), r.Message.Title) {
				s.Fatalf("the request lacks message %d", i)
			}
			for _, token := range r.Tokens {
				if got := strings.Count(string(body), token); got != 1 {
					s.Fatalf("the request has %s %d times, want once", token, got)
				}
			}
		}
	}
}

func mixedRows(s *suite) {
	b := s.bench()
	m, ok := b.vendor.(vendors.MixedSender)
	if !ok {
		return
	}
	envelope := b.fill(s.read("envelope.txt"))
	rs := b.mixed(2)
	for _, row := range s.rows(classify.Response) {
		if strings.Contains(row.Code, "/") {
			continue // a code that only some answers have
		}
		b.answer(strings.ReplaceAll(envelope, "%CODE%", row.Code))
		answer, err := m.SendMixed(s.Context(), rs)
		got := s.row(answer.Code)
		if err != nil || answer.Code.Level != classify.Response || (got.Class == classify.Success) != (row.Class == classify.Success) {
			s.Errorf("code %s is read as %s, of class %s (%v)", row.Code, answer.Code, got.Class, err)
		}
	}
}
