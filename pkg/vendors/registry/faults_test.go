package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// call is one of the things an adapter does over the network.
type call func(ctx context.Context, t *testing.T, b *bench) (vendors.Answer, error)

// eachCall runs a test for Send, and for Grant and Save where the vendor has
// them. Neither may come of what these tests answer.
func eachCall(t *testing.T, test func(t *testing.T, b *bench, c call)) {
	t.Helper()
	each(t, func(t *testing.T, spec vendors.Spec) {
		t.Run("send", func(t *testing.T) {
			test(t, newBench(t, spec), func(ctx context.Context, t *testing.T, b *bench) (vendors.Answer, error) {
				t.Helper()
				return b.send(ctx, t)
			})
		})
		if _, ok := newBench(t, spec).granter(); ok {
			t.Run("grant", func(t *testing.T) { test(t, newBench(t, spec), refusedGrant) })
		}
		if _, ok := newBench(t, spec).vendor.(vendors.Uploader); ok {
			t.Run("save", func(t *testing.T) { test(t, newBench(t, spec), refusedSave) })
		}
	})
}

func refusedGrant(ctx context.Context, t *testing.T, b *bench) (vendors.Answer, error) {
	t.Helper()
	granter, _ := b.granter()
	_, err := b.grant(ctx, t, granter)
	if err == nil {
		t.Error("an access token was granted")
	}
	return vendors.Answer{}, err
}

func refusedSave(ctx context.Context, t *testing.T, b *bench) (vendors.Answer, error) {
	t.Helper()
	_, err := b.save(ctx, t)
	if err == nil {
		t.Error("a message was saved")
	}
	return vendors.Answer{}, err
}

func TestNoHTTPStatusAloneIsSuccess(t *testing.T) {
	eachCall(t, func(t *testing.T, b *bench, c call) {
		html := b.fill("<html><body>%TOKEN% %ACCESS% %SECRET%</body></html>")
		for status := 100; status <= 599; status++ {
			bodies := []string{"", html}
			if status < 200 && status != http.StatusSwitchingProtocols {
				bodies = bodies[:1] // these have no body: what follows would be the next status line
			}
			for _, body := range bodies {
				b.answer(fmt.Sprintf("HTTP/1.1 %d Status\r\nConnection: close\r\nLocation: /elsewhere\r\nContent-Type: text/html\r\n\r\n%s", status, body))
				answer, err := c(t.Context(), t, b)
				if n := accepted(b.spec, answer, err, len(b.tokens)); n != 0 || len(answer.Tokens) != 0 {
					t.Errorf("HTTP %d with body %q: %d tokens accepted, codes %v; want none", status, body, n, answer.Tokens)
				}
				code := codeOf(t, answer, err)
				if status >= 300 && (code.Level != classify.HTTP || code.Code != strconv.Itoa(status)) {
					t.Errorf("HTTP %d with body %q is %s, want http/%d", status, body, code, status)
				}
				if row, _ := b.spec.Codes.Lookup(code.Level, code.Code); row.Class == classify.TokenInvalid || row.Class == classify.Success {
					t.Errorf("HTTP %d with body %q is %s, want neither success nor an invalid token", status, body, row.Class)
				}
			}
		}
	})
}

func codeOf(t *testing.T, a vendors.Answer, err error) classify.Code {
	t.Helper()
	if err != nil {
		return vendorError(t, err).Code
	}
	return a.Code
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	eachCall(t, func(t *testing.T, b *bench, c call) {
		b.answer("HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: 7\r\n\r\n")
		answer, err := c(t.Context(), t, b)
		got := answer.RetryAfter
		if err != nil {
			got = vendorError(t, err).RetryAfter
		}
		if want := 7 * time.Second; got != want {
			t.Errorf("got RetryAfter %v, want %v", got, want)
		}
	})
}

func TestCancelingReturnsAtOnce(t *testing.T) {
	eachCall(t, func(t *testing.T, b *bench, c call) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arrived := b.hang(t)
		go func() {
			<-arrived
			cancel()
		}()
		err := within(ctx, t, b, c)
		if got, want := describe(t, vendors.Answer{}, err), "error transport/canceled\n"; got != want || !errors.Is(err, context.Canceled) {
			t.Errorf("got %swant %sthat wraps context.Canceled", got, want)
		}
	})
}

func TestADeadlineIsATimeout(t *testing.T) {
	eachCall(t, func(t *testing.T, b *bench, c call) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		b.hang(t)
		err := within(ctx, t, b, c)
		if got, want := describe(t, vendors.Answer{}, err), "error transport/timeout\n"; got != want {
			t.Errorf("got %swant %s", got, want)
		}
	})
}

// hang makes the server answer only after the test; the channel is closed when
// a request has arrived.
func (b *bench) hang(t *testing.T) <-chan struct{} {
	t.Helper()
	arrived, over := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over) })
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	return arrived
}

// within makes the call and fails the test when it does not return.
func within(ctx context.Context, t *testing.T, b *bench, c call) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c(ctx, t, b)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("no return within 5 s of the context's end")
		return nil
	}
}

func TestNoConnectionIsKnownToHaveSentNothing(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		b.server.Close()
		_, err := b.vendor.Send(t.Context(), b.request())
		if got, want := describe(t, vendors.Answer{}, err), "error transport/dial\n"; got != want {
			t.Errorf("got %swant %s", got, want)
		}
		b.noLeak(t, vendors.Answer{}, err)
	})
}

func TestAnOversizedAnswerIsRefused(t *testing.T) {
	tests := map[string]string{
		"with its length said":     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(httpx.MaxAnswer+1) + "\r\n\r\n",
		"with its length not said": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
	}
	body := strings.Repeat(" ", httpx.MaxAnswer+1)
	eachCall(t, func(t *testing.T, b *bench, c call) {
		for name, head := range tests {
			b.answer(head + body)
			_, err := c(t.Context(), t, b)
			if got, want := describe(t, vendors.Answer{}, err), "error transport/oversized\n"; got != want {
				t.Errorf("%s: got %swant %s", name, got, want)
			}
		}
	})
}

func TestATruncatedAnswerIsNeverSuccess(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		_, body, ok := strings.Cut(b.fill(read(t, spec, "answers/success.http")), "\n\n")
		if !ok || body == "" {
			t.Fatal("answers/success.http has no body behind an empty line")
		}
		for cut := range len(strings.TrimSpace(body)) {
			for _, length := range []string{"", fmt.Sprintf("Content-Length: %d\r\n", len(body))} {
				b.answer("HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + "\r\n" + body[:cut])
				answer, err := b.send(t.Context(), t)
				if n := accepted(spec, answer, err, len(b.tokens)); n != 0 {
					t.Errorf("cut to %q: %d tokens accepted, want none", body[:cut], n)
				}
			}
		}
	})
}
