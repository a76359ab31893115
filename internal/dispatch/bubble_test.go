package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// bubble is a dispatcher on a memoryBook, within synctest: time passes only when
// every goroutine waits, so the order of events is certain.
type bubble struct {
	*testing.T
	memory *memoryBook
	vendor *vendor
	gate   *gate
	meter  *meter
	acct   account.Account
	cfg    dispatch.Config
	d      *dispatch.Dispatcher
}

// inBubble runs a test with a dispatcher that change may alter before it starts.
func inBubble(t *testing.T, change func(*bubble), test func(*bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, memory: newMemoryBook(), vendor: &vendor{}, gate: &gate{}, meter: newMeter()}
		b.acct = account.Account{
			App: "shop", Vendor: b.vendor, Codes: classify.MustParse("nova", table), Batch: 10, Timeout: 10 * time.Second,
			Spec: vendors.Spec{Name: "nova", Batch: 10, Unit: vendors.Tokens},
		}
		b.cfg = dispatch.Config{
			Book: b.memory, Gate: b.gate, Meter: b.meter, Policy: retry.Policy{Attempts: 3, First: time.Second, Max: time.Minute},
			Linger: 10 * time.Millisecond, Requests: 8, Log: zerolog.Nop(),
			Account: func(string, string) (*account.Account, bool) { return &b.acct, true },
		}
		if change != nil {
			change(b)
		}
		b.d = dispatch.New(b.cfg)
		test(b)
		if why := b.memory.complaints(); len(why) > 0 {
			t.Errorf("%q", why)
		}
	})
}

// entry is a part of a chunk: the first of its two messages, to a job's tokens.
func entry(id string, tokens ...string) wire.Entry {
	return wire.Entry{
		Job: id, Single: len(tokens) == 1, Start: time.Now().UnixMilli(), Expires: time.Now().Add(24 * time.Hour).UnixMilli(), Tokens: tokens,
	}
}

// chunk stores a chunk for a priority's lane; entries whose Message is n have
// the n-th message.
func (b *bubble) chunk(p push.Priority, entries ...wire.Entry) task {
	c := wire.Chunk{Entries: entries}
	for i := range 9 {
		c.Messages = append(c.Messages, message(fmt.Sprint("message ", i)))
	}
	return b.memory.add("{"+entries[0].Job+"-chunk}", wire.Lane("nova", string(p)), c)
}

// start runs a task until every goroutine waits.
func (b *bubble) start(ctx context.Context, t task) <-chan error {
	done := make(chan error, 1)
	go func() { done <- b.d.Handle(ctx, t.lane, t.Task) }()
	synctest.Wait()
	return done
}

// finish runs tasks one after another, at the times that they ask for.
func (b *bubble) finish(tasks ...task) {
	b.Helper()
	for round := 0; len(tasks) > 0; round++ {
		if round == 100 {
			b.Fatalf("%d tasks do not end", len(tasks))
		}
		left := tasks[:0:0]
		for _, t := range tasks {
			err := b.d.Handle(b.Context(), t.lane, t.Task)
			if again, ok := err.(*queue.AgainError); ok { //nolint:errorlint // the handler's own answer, not a wrapped one
				<-time.After(time.Until(again.At))
				left = append(left, t)
			}
		}
		tasks = left
	}
}

// want checks a job's ledger: outcomes that are not named are zero.
func (b *bubble) want(id string, want outcomes) {
	b.Helper()
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		if got := b.memory.count(id, o); got != want[o] {
			b.Errorf("job %s: %s is %d, want %d", id, o, got, want[o])
		}
	}
}

func mustAgain(t *testing.T, err error) *queue.AgainError {
	t.Helper()
	again, ok := err.(*queue.AgainError) //nolint:errorlint // as above
	if !ok {
		t.Fatalf("the task ended with %v, want it put back", err)
	}
	return again
}
