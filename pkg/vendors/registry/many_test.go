package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// eachMulti runs a test for every vendor that takes several messages at once.
func eachMulti(t *testing.T, test func(t *testing.T, b *bench, m vendors.MixedSender)) {
	t.Helper()
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		m, ok := b.vendor.(vendors.MixedSender)
		if ok != (spec.MaxMixed > 0) {
			t.Fatalf("the adapter is a Multi: %v, the spec's Many is %d", ok, spec.MaxMixed)
		}
		if ok {
			test(t, b, m)
		}
	})
}

// manyRequests are n, with as many tokens in all as fit into one.
func (b *bench) manyRequests(n int) []*vendors.Request {
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

func TestManyMessagesAreOneRequest(t *testing.T) {
	eachMulti(t, func(t *testing.T, b *bench, m vendors.MixedSender) {
		b.answer(b.fill(read(t, b.spec, "answers/success.http")))
		for _, n := range []int{1, 3, b.spec.MaxMixed} {
			before := b.requests.Load()
			rs := b.manyRequests(n)
			answer, err := m.SendMixed(t.Context(), rs)
			if got := accepted(b.spec, answer, err, b.spec.MaxMixed); got != b.spec.MaxMixed {
				t.Errorf("%d messages: %d of %d tokens accepted (%v)", n, got, b.spec.MaxMixed, err)
			}
			if got := b.requests.Load() - before; got != 1 {
				t.Errorf("%d messages: got %d requests, want 1", n, got)
			}
			_, body := b.received()
			for i, r := range rs {
				if !strings.Contains(string(body), r.Message.Title) {
					t.Fatalf("the request lacks message %d", i)
				}
				for _, token := range r.Tokens {
					if strings.Count(string(body), token) != 1 {
						t.Fatalf("the request has %s %d times, want once", token, strings.Count(string(body), token))
					}
				}
			}
		}
	})
}

func TestEveryResponseRowCanAnswerManyMessages(t *testing.T) {
	eachMulti(t, func(t *testing.T, b *bench, m vendors.MixedSender) {
		envelope := b.fill(read(t, b.spec, "envelope.txt"))
		rs := b.manyRequests(2)
		for _, row := range rows(b.spec, classify.Response) {
			code, _, _ := strings.Cut(row.Code, "/")
			if code != row.Code {
				continue // a code that only some answers have
			}
			b.answer(strings.ReplaceAll(envelope, "%CODE%", code))
			answer, err := m.SendMixed(t.Context(), rs)
			got, _ := b.spec.Codes.Lookup(answer.Code.Level, answer.Code.Code)
			if err != nil || answer.Code.Level != classify.Response || (got.Class == classify.Success) != (row.Class == classify.Success) {
				t.Errorf("code %s is %s, which is %s (%v)", code, answer.Code, got.Class, err)
			}
		}
	})
}
