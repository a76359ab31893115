package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// slowSender answers a request after a time, unless its context ends first.
type slowSender struct {
	*vendor
	takes time.Duration
}

func (v slowSender) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	select {
	case <-time.After(v.takes):
		return v.vendor.Send(ctx, r)
	case <-ctx.Done():
		code := classify.Timeout
		if errors.Is(ctx.Err(), context.Canceled) {
			code = classify.Canceled
		}
		return vendors.Answer{}, &vendors.Error{Op: "send", Code: classify.Code{Level: classify.Transport, Code: code}, Err: ctx.Err()}
	}
}

// unready is a vendor whose access token, or id of an uploaded message, never comes.
type unready struct{ granter }

func (unready) NeedsUpload(*vendors.Request) bool { return true }

func (unready) Upload(context.Context, *vendors.Request) (vendors.Uploaded, error) {
	return vendors.Uploaded{}, errors.New("only the store of saved messages saves")
}

// never makes the dispatcher wait for something that never comes.
type never struct{}

func (never) Access(ctx context.Context, _, _ string, _ vendors.Granter, _ string) (string, error) {
	<-ctx.Done()
	return "", fmt.Errorf("wait for access token: %w", ctx.Err())
}

func (never) Invalidate(context.Context, string, string, string) error { return nil }

func (never) ID(ctx context.Context, _ upload.Message, _ func(context.Context) (vendors.Uploaded, error)) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (never) Forget(context.Context, upload.Message, string) error { return nil }

func TestATaskThatLeavesASharedRequestDoesNotEndIt(t *testing.T) {
	t.Parallel()
	for name, leaver := range map[string]int{"the first one": 0, "another one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) { b.acct.Vendor = slowSender{b.vendor, 5 * time.Second} }, func(b *bubble) {
				ctx, cancel := context.WithCancel(b.Context())
				var ends []<-chan error
				for i, id := range []string{"a", "b", "c"} {
					mine := b.Context()
					if i == leaver {
						mine = ctx
					}
					ends = append(ends, b.start(mine, b.chunk(push.Normal, entry(id, "t-"+id))))
					synctest.Wait()
				}
				<-time.After(time.Second)
				left := time.Now()
				cancel()
				<-ends[leaver]
				if took := time.Since(left); took > 0 {
					b.Errorf("the task that left returned after %v", took)
				}
				for i, end := range ends {
					if i != leaver {
						if err := <-end; err != nil {
							b.Errorf("task %d ended with %v", i, err)
						}
					}
				}
				for _, id := range []string{"a", "b", "c"} {
					b.want(id, outcomes{wire.Delivered: 1}) // also of the task that left
				}
				if n := len(b.vendor.sizes()); n != 1 {
					b.Errorf("%d requests, want 1", n)
				}
			})
		})
	}
}

// A request that this worker gives up says nothing about the vendor, and uses no attempt.
func TestWhatWeGiveUpIsNotTheVendorsFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waitsFor   string
		atMostOnce bool
		want       outcomes
	}{
		"a request":               {"answer", false, outcomes{wire.Pending: 1}},
		"a request, at most once": {"answer", true, outcomes{wire.Dead: 1}},
		"a grant":                 {"access", false, outcomes{wire.Pending: 1}},
		"a grant, at most once":   {"access", true, outcomes{wire.Pending: 1}},
		"an upload":               {"upload", false, outcomes{wire.Pending: 1}},
		"an upload, at most once": {"upload", true, outcomes{wire.Pending: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) {
				b.acct.Vendor = unready{granter{b.vendor}}
				b.cfg.Access, b.cfg.Uploaded = &access{}, never{}
				switch c.waitsFor {
				case "answer":
					b.acct.Vendor = slowSender{b.vendor, time.Hour}
				case "access":
					b.cfg.Access = never{}
				}
			}, func(b *bubble) {
				ctx, cancel := context.WithCancel(b.Context())
				e := entry("a", "t1")
				e.AtMostOnce = c.atMostOnce
				end := b.start(ctx, b.chunk(push.High, e))
				<-time.After(time.Second)
				cancel()
				err := <-end
				if c.want[wire.Pending] > 0 {
					if again := mustAgain(b.T, err); again.Counted {
						b.Error("an attempt was used")
					}
				}
				b.want("a", c.want)
				if got := b.gate.signals(); len(got) > 0 {
					b.Errorf("the gate was told %v", got)
				}
				if got := b.meter.requests; got > 0 {
					b.Errorf("the meter counts %d requests", got)
				}
			})
		})
	}
}
