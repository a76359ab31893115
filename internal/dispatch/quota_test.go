package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// withQuotas gives the vendor a bucket for the first message, and one for each
// message's title.
func withQuotas(b *bubble) {
	b.acct.Spec.Quotas = []vendors.Quota{
		{Bucket: "news", Counts: func(m *push.Message, _ int) bool { return m.Title == "message 0" }},
		{Bucket: "lists", Counts: func(_ *push.Message, tokens int) bool { return tokens > 1 }},
		{Bucket: "channel", Counts: vendors.EveryMessage, Part: func(m *push.Message) string { return m.Title }},
	}
}

func TestTheGateIsToldWhichQuotasCountARequest(t *testing.T) {
	t.Parallel()
	inBubble(t, withQuotas, func(b *bubble) {
		b.finish(b.chunk(push.High, entry("a", "t1", "t2")))
		if got, want := b.gate.answered[0].Buckets, []string{"news", "lists", "channel:message 0"}; !slices.Equal(got, want) {
			b.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestAUsedUpQuotaWaitsForItsOwnWindow(t *testing.T) {
	t.Parallel()
	beijing := time.FixedZone("CST", 8*3600)
	for name, c := range map[string]struct {
		reply reply
		want  time.Time // the bubble's clock begins on Saturday, 2000-01-01 08:00 in Beijing
	}{
		"of the request, in the morning":           {say("night"), time.Date(2000, 1, 2, 7, 0, 0, 0, beijing)},
		"of one token, in the next week":           {but(map[string]string{"t1": "full"}), time.Date(2000, 1, 3, 0, 0, 0, 0, beijing)},
		"without a window it is the next midnight": {say("quota"), time.Date(2000, 1, 2, 0, 0, 0, 0, beijing)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, withQuotas, func(b *bubble) {
				b.vendor.replies = []reply{c.reply}
				e := entry("a", "t1")
				e.Expires = time.Now().Add(7 * 24 * time.Hour).UnixMilli()
				again := mustAgain(b.T, <-b.start(b.Context(), b.chunk(push.High, e)))
				if late := again.At.Sub(c.want); again.Counted || late < 0 || late > time.Minute {
					b.Errorf("comes again at %v, counted %v, want within a minute from %v", again.At, again.Counted, c.want)
				}
			})
		})
	}
}

func TestTheGateHearsOfAQuotaThatOneTokenMet(t *testing.T) {
	t.Parallel()
	inBubble(t, withQuotas, func(b *bubble) {
		b.vendor.replies = []reply{but(map[string]string{"t1": "full", "t2": "full", "t3": "busy"})}
		mustAgain(b.T, <-b.start(b.Context(), b.chunk(push.High, entry("a", "t1", "t2", "t3", "t4"))))
		var buckets []string
		for _, f := range b.gate.told {
			buckets = append(buckets, f.Row.Bucket)
		}
		if !slices.Equal(buckets, []string{"channel", ""}) || len(b.gate.answered) != 1 {
			b.Errorf("the gate was told of the buckets %q in %d calls, want the channel once, all in one", buckets, len(b.gate.answered))
		}
	})
}

func TestMessagesOfDifferentQuotasShareNoRequest(t *testing.T) {
	t.Parallel()
	m := &mixedSender{}
	inBubble(t, func(b *bubble) {
		withQuotas(b)
		b.acct.Spec.Quotas = b.acct.Spec.Quotas[:1] // news and others
		m.vendor = b.vendor
		b.acct.Spec.MaxMixed, b.acct.Vendor = 10, m
		b.gate.closed = map[string]time.Time{"news": time.Now().Add(time.Hour)}
	}, func(b *bubble) {
		task := b.chunk(push.High, entriesThatDiffer(4)...)
		mustAgain(b.T, <-b.start(b.Context(), task))
		if got := m.counts(); !slices.Equal(got, []int{3}) {
			b.Errorf("requests have %v tokens, want the three of which no quota is used up", got)
		}
		b.want("job-0", outcomes{wire.Pending: 1})
		b.want("job-1", outcomes{wire.Delivered: 1})
		b.finish(task)
		b.want("job-0", outcomes{wire.Delivered: 1})
	})
}

func TestWhatWaitsForAQuotaExpiresByItsOwnTime(t *testing.T) {
	t.Parallel()
	inBubble(t, withQuotas, func(b *bubble) {
		b.gate.closed = map[string]time.Time{"news": time.Now().Add(48 * time.Hour)}
		task := b.chunk(push.High, entry("a", "t1"))
		again := mustAgain(b.T, <-b.start(b.Context(), task))
		if wait := time.Until(again.At); wait != 24*time.Hour || again.Counted {
			b.Errorf("comes again after %v, counted %v, want when it expires", wait, again.Counted)
		}
		b.finish(task)
		b.want("a", outcomes{wire.Expired: 1})
		if n := len(b.vendor.sizes()); n != 0 {
			b.Errorf("%d requests were made", n)
		}
	})
}

func TestAProbeIsOverHoweverTheRequestEnds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bubble){
		"with an answer":    func(*bubble) {},
		"without one":       func(b *bubble) { b.vendor.replies = []reply{fail("transport", "timeout")} },
		"never made at all": func(b *bubble) { b.cfg.Access, b.acct.Vendor = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) { b.gate.probe = "p1"; change(b) }, func(b *bubble) {
				<-b.start(b.Context(), b.chunk(push.High, entry("a", "t1")))
				if !slices.Equal(b.gate.done, []string{"p1"}) {
					b.Errorf("the gate was told %q, want that p1 is over", b.gate.done)
				}
			})
		})
	}
}

// The gate makes a request a probe: that it had no answer says nothing about its tokens.
func TestAProbeWithoutAnAnswerUsesNoAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		probe   string
		reply   reply
		counted bool
	}{
		"a probe that times out":           {"p1", fail(classify.Transport, classify.Timeout), false},
		"a probe that is answered 502":     {"p1", fail(classify.HTTP, "502"), true},
		"a probe that the vendor answers":  {"p1", say("busy"), true},
		"another request that times out":   {"", fail(classify.Transport, classify.Timeout), true},
		"another request that is answered": {"", fail(classify.HTTP, "502"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) {
				b.gate.probe = c.probe
				b.vendor.replies = []reply{c.reply}
			}, func(b *bubble) {
				task := b.chunk(push.High, entry("a", "t1"))
				if again := mustAgain(b.T, <-b.start(b.Context(), task)); again.Counted != c.counted {
					b.Errorf("counted %v, want %v: %s", again.Counted, c.counted, again.Reason)
				}
				b.finish(task)
				b.want("a", outcomes{wire.Delivered: 1})
			})
		})
	}
}

func TestSmallTasksOfDifferentQuotasDoNotJoin(t *testing.T) {
	t.Parallel()
	m := &mixedSender{}
	inBubble(t, func(b *bubble) {
		withQuotas(b)
		b.acct.Spec.Quotas = b.acct.Spec.Quotas[:1] // news and others
		sendsMixed(m, 10)(b)
	}, func(b *bubble) {
		all := make([]<-chan error, 4)
		for i, e := range entriesThatDiffer(len(all)) {
			all[i] = b.start(b.Context(), b.chunk(push.Normal, e))
		}
		for _, done := range all {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
		if got := m.counts(); !slices.Equal(got, []int{3}) || !slices.Equal(b.vendor.sizes(), []int{1}) {
			b.Errorf("requests have %v and %v tokens, want the news by itself and three together", got, b.vendor.sizes())
		}
	})
}
