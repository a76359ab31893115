package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// entriesThatDiffer makes n entries with a message of their own each.
func entriesThatDiffer(n int) []wire.Entry {
	all := make([]wire.Entry, n)
	for i := range all {
		all[i] = entry(fmt.Sprint("job-", i), fmt.Sprint("t", i))
		all[i].Message = i
	}
	return all
}

// counts are the tokens of each request with several messages.
func (m *mixedSender) counts() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []int
	for _, rs := range m.batches {
		n := 0
		for _, r := range rs {
			n += len(r.Tokens)
		}
		all = append(all, n)
	}
	return all
}

func TestDifferentMessagesShareARequest(t *testing.T) {
	t.Parallel()
	twice := entriesThatDiffer(3)
	twice[2].Tokens = twice[0].Tokens
	large := entriesThatDiffer(3)
	large[1].Tokens = []string{"u1", "u2", "u3", "u4"}
	for name, c := range map[string]struct {
		entries []wire.Entry
		most    int
		many    []int // tokens of requests with several messages, sorted
		one     []int // of those with one
	}{
		"of one chunk":                                  {entriesThatDiffer(4), 10, []int{4}, nil},
		"up to the vendor's limit":                      {entriesThatDiffer(5), 3, []int{2, 3}, nil},
		"and no token twice":                            {twice, 10, []int{2}, []int{1}},
		"a large one goes by itself":                    {large, 6, []int{2}, []int{4}},
		"nor do they at a vendor without such requests": {entriesThatDiffer(3), 0, nil, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &mixedSender{}
			inBubble(t, sendsMixed(m, c.most), func(b *bubble) {
				b.finish(b.chunk(push.Normal, c.entries...))
				for _, e := range c.entries {
					b.want(e.Job, outcomes{wire.Delivered: len(e.Tokens)})
				}
				if got := sorted(m.counts()); !slices.Equal(got, c.many) {
					b.Errorf("requests with several messages have %v tokens, want %v", got, c.many)
				}
				if got := sorted(b.vendor.sizes()); !slices.Equal(got, c.one) {
					b.Errorf("requests with one message have %v tokens, want %v", got, c.one)
				}
			})
		})
	}
}

func TestDifferentMessagesOfSeveralTasksShareARequest(t *testing.T) {
	t.Parallel()
	m := &mixedSender{}
	inBubble(t, sendsMixed(m, 10), func(b *bubble) {
		var ends []<-chan error
		for _, e := range append(entriesThatDiffer(3), entry("same", "u1")) { // the last has the first one's message
			ends = append(ends, b.start(b.Context(), b.chunk(push.Normal, e)))
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				b.Error(err)
			}
		}
		if len(m.batches) != 1 {
			b.Fatalf("%d requests were made, want one", len(m.batches))
		}
		var got []string
		for _, r := range m.batches[0] {
			got = append(got, r.Message.Title+": "+strings.Join(r.Tokens, " "))
		}
		want := []string{"message 0: t0 u1", "message 1: t1", "message 2: t2"}
		if got = sorted(got); !slices.Equal(got, want) {
			b.Errorf("the request has %q, want %q", got, want)
		}
		keys := map[string]bool{}
		for _, r := range m.batches[0] {
			keys[r.Key] = true
		}
		if len(keys) != 3 {
			b.Errorf("three messages have %d keys", len(keys))
		}
	})
}

// Codes of tokens count through all messages of the request.
func TestEveryMessageOfARequestHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	m := &mixedSender{many: func(rs []*vendors.Request) (vendors.Answer, error) {
		a, err := say("ok")(nil)
		i := 0
		for _, r := range rs {
			for _, t := range r.Tokens {
				code := map[string]string{"t1": "gone", "t3": "region"}[t]
				if code != "" {
					a.Tokens = append(a.Tokens, vendors.TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: code}})
				}
				i++
			}
		}
		return a, err
	}}
	inBubble(t, sendsMixed(m, 10), func(b *bubble) {
		b.finish(b.chunk(push.Normal, entriesThatDiffer(5)...))
		for i, o := range []wire.Outcome{wire.Delivered, wire.Invalid, wire.Delivered, wire.Dropped, wire.Delivered} {
			b.want(fmt.Sprint("job-", i), outcomes{o: 1})
		}
	})
}

// If one of several messages is wrong, the others must still be sent.
func TestAWrongMessageIsFoundByHalving(t *testing.T) {
	t.Parallel()
	m := &mixedSender{many: func(rs []*vendors.Request) (vendors.Answer, error) {
		if slices.ContainsFunc(rs, func(r *vendors.Request) bool { return r.Message.Title == "message 3" }) {
			return say("drop")(nil)
		}
		return say("ok")(nil)
	}}
	inBubble(t, sendsMixed(m, 10), func(b *bubble) {
		b.vendor.always = func(r *vendors.Request) (vendors.Answer, error) {
			if r.Message.Title == "message 3" {
				return say("drop")(r)
			}
			return say("ok")(r)
		}
		b.finish(b.chunk(push.Normal, entriesThatDiffer(8)...))
		for i := range 8 {
			want := wire.Delivered
			if i == 3 {
				want = wire.Dropped
			}
			b.want(fmt.Sprint("job-", i), outcomes{want: 1})
		}
	})
}
