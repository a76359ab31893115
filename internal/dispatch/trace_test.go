package dispatch_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// tracer keeps what was noted, or fails.
type tracer struct {
	mu    sync.Mutex
	calls int
	sent  []dispatch.Sent
	err   error
}

func (t *tracer) Note(_ context.Context, sent []dispatch.Sent) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	t.sent = append(t.sent, sent...)
	return t.err
}

func traced(tr *tracer, on bool) func(*rig) {
	return func(r *rig) {
		r.cfg.Tracer, r.acct.ReceiptURL = tr, "https://push.example.com/receipts/shop/nova/s"
		if on {
			r.acct.Receipts, r.acct.Spec.Receipts = config.Receipts{Secret: vendors.NewSecret("s")}, &vendors.Receipts{}
		}
	}
}

func TestWhoseTokensAreSentIsNotedBeforeTheRequest(t *testing.T) {
	t.Parallel()
	tr := &tracer{}
	r := newRig(t, traced(tr, true))
	r.finish(r.packed(job("a", "t1"), job("b", "t2"))...)
	r.want("a", map[wire.Outcome]int{wire.Delivered: 1})
	if tr.calls != 1 || len(tr.sent) != 1 {
		t.Fatalf("noted %d times %+v, want once one message", tr.calls, tr.sent)
	}
	got := tr.sent[0]
	if got.App != "shop" || got.Vendor != "nova" || len(got.Tag) != 32 || got.Job != "" ||
		!maps.Equal(got.Tokens, map[string]string{"t1": "a", "t2": "b"}) || got.For < 8*24*time.Hour-time.Minute || got.For > 8*24*time.Hour {
		t.Errorf("noted %+v", got)
	}
}

func TestAccountsWithoutReceiptsNoteNothing(t *testing.T) {
	t.Parallel()
	tr := &tracer{}
	r := newRig(t, traced(tr, false))
	r.finish(r.separate(job("a", "t1"))...)
	if tr.calls != 0 {
		t.Errorf("noted %+v, want nothing", tr.sent)
	}
}

func TestALargeJobIsNotedOnceWithoutItsTokens(t *testing.T) {
	t.Parallel()
	tr := &tracer{}
	r := newRig(t, traced(tr, true))
	j := job("large")
	j.Targets = nil
	s, err := r.client.Open(j)
	r.must(err)
	for i, token := range []string{"t1", "t2"} {
		r.must(s.Add(t.Context(), i+1, "nova", []byte(token)))
	}
	_, err = s.Commit(t.Context())
	r.must(err)
	r.finish(r.tasks()...)
	if len(tr.sent) != 1 || tr.sent[0].Job != "large" || tr.sent[0].Tokens != nil {
		t.Errorf("noted %+v, want only the job", tr.sent)
	}
}

func TestAMessageIsSentAlthoughItCannotBeNoted(t *testing.T) {
	t.Parallel()
	r := newRig(t, traced(&tracer{err: errors.New("redis is away")}, true))
	r.finish(r.separate(job("a", "t1"))...)
	r.want("a", map[wire.Outcome]int{wire.Delivered: 1})
}
