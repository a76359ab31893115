package vendortest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// call is one call of an adapter that makes a request.
type call func(ctx context.Context, b *bench) (vendors.Answer, error)

// eachCall runs a check for Send, and for Grant and Upload if the vendor has them.
// The check gives no answer that is a success for Grant or Upload.
func (s *suite) eachCall(check func(b *bench, c call)) {
	s.Helper()
	check(s.about("Send").bench(), func(ctx context.Context, b *bench) (vendors.Answer, error) { return b.send(ctx) })
	b := s.about("Grant").bench()
	if granter, ok := b.granter(); ok {
		check(b, func(ctx context.Context, b *bench) (vendors.Answer, error) {
			_, err := b.grant(ctx, granter)
			if err == nil {
				b.Errorf("an access token was granted")
			}
			return vendors.Answer{}, err
		})
	}
	b = s.about("Upload").bench()
	if _, ok := b.vendor.(vendors.Uploader); ok {
		check(b, func(ctx context.Context, b *bench) (vendors.Answer, error) {
			_, err := b.upload(ctx)
			if err == nil {
				b.Errorf("a message was uploaded")
			}
			return vendors.Answer{}, err
		})
	}
}

func statuses(s *suite) {
	s.eachCall(func(b *bench, c call) {
		html := b.fill("<html><body>%TOKEN% %ACCESS% %SECRET%</body></html>")
		for status := 100; status <= 599; status++ {
			bodies := []string{"", html}
			if status < 200 && status != http.StatusSwitchingProtocols {
				bodies = bodies[:1] // these have no body: the client would read one as the next status line
			}
			for _, body := range bodies {
				b.answer(fmt.Sprintf("HTTP/1.1 %d Status\r\nConnection: close\r\nLocation: /elsewhere\r\nContent-Type: text/html\r\n\r\n%s", status, body))
				answer, err := c(b.Context(), b)
				b.about("HTTP %d with the body %q", status, body).judgeStatus(status, answer, err, len(b.tokens))
			}
		}
	})
}

func (s *suite) judgeStatus(status int, answer vendors.Answer, err error, tokens int) {
	s.Helper()
	if n := s.accepted(answer, err, tokens); n != 0 || len(answer.Tokens) != 0 {
		s.Errorf("%d tokens are accepted, %d have a code; want none", n, len(answer.Tokens))
	}
	code := answer.Code
	if err != nil {
		code = s.vendorError(err).Code
	}
	if status >= 300 && (code.Level != classify.HTTP || code.Code != strconv.Itoa(status)) {
		s.Errorf("the code is %s, want http/%d", code, status)
	}
	if class := s.row(code).Class; class == classify.TokenInvalid || class == classify.Success {
		s.Errorf("the class is %s, want neither success nor an invalid token", class)
	}
}

func retryAfter(s *suite) {
	s.eachCall(func(b *bench, c call) {
		b.answer("HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: 7\r\n\r\n")
		answer, err := c(b.Context(), b)
		got := answer.RetryAfter
		if err != nil {
			got = b.vendorError(err).RetryAfter
		}
		if want := 7 * time.Second; got != want {
			b.Errorf("got RetryAfter %v, want %v", got, want)
		}
	})
}

func canceling(s *suite) {
	s.eachCall(func(b *bench, c call) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		arrived := b.hang()
		go func() {
			<-arrived
			cancel()
		}()
		err := b.within(ctx, c)
		if got, want := b.describe(vendors.Answer{}, err), "error transport/canceled\n"; got != want || !errors.Is(err, context.Canceled) {
			b.Errorf("got %swant %sthat wraps context.Canceled", got, want)
		}
	})
}

func deadlines(s *suite) {
	s.eachCall(func(b *bench, c call) {
		ctx, cancel := context.WithTimeout(b.Context(), 300*time.Millisecond)
		defer cancel()
		b.hang()
		err := b.within(ctx, c)
		if got, want := b.describe(vendors.Answer{}, err), "error transport/timeout\n"; got != want {
			b.Errorf("got %swant %s", got, want)
		}
	})
}

// hang makes the server answer only after the check. The returned channel is closed
// when a request has arrived.
func (b *bench) hang() <-chan struct{} {
	arrived, over := make(chan struct{}), make(chan struct{})
	b.Cleanup(func() { close(over) })
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	return arrived
}

// within makes the call and ends the check if it does not return in time.
func (b *bench) within(ctx context.Context, c call) error {
	b.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c(ctx, b)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(b.patience):
		b.Fatalf("no return within %v, though the context has ended", b.patience)
		return nil
	}
}

func refusedConnections(s *suite) {
	b := s.bench()
	b.server.Close()
	_, err := b.vendor.Send(s.Context(), b.request())
	if got, want := s.describe(vendors.Answer{}, err), "error transport/dial\n"; got != want {
		s.Errorf("got %swant %s", got, want)
	}
	if err != nil && !s.vendorError(err).Unsent {
		s.Errorf("the error does not say that nothing was sent")
	}
	b.noLeak(vendors.Answer{}, err)
}

// brokenConnections ends connections without an answer. The vendor may have
// accepted the message, so a second request would deliver it twice.
func brokenConnections(s *suite) {
	s.eachCall(func(b *bench, c call) {
		for _, raw := range []string{"", "HTTP/1.1 2"} {
			b.answer(raw)
			_, err := c(b.Context(), b)
			if got, want := b.describe(vendors.Answer{}, err), "error transport/broken\n"; got != want {
				b.Errorf("after %q: got %swant %s", raw, got, want)
			}
			if err != nil && b.vendorError(err).Unsent {
				b.Errorf("after %q: the error says that nothing was sent", raw)
			}
		}
	})
}

func oversizedAnswers(s *suite) {
	heads := map[string]string{
		"with a Content-Length":    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(httpx.MaxAnswer+1) + "\r\n\r\n",
		"without a Content-Length": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
	}
	body := strings.Repeat(" ", httpx.MaxAnswer+1)
	s.eachCall(func(b *bench, c call) {
		for name, head := range heads {
			b.answer(head + body)
			_, err := c(b.Context(), b)
			if got, want := b.describe(vendors.Answer{}, err), "error transport/oversized\n"; got != want {
				b.Errorf("%s: got %swant %s", name, got, want)
			}
		}
	})
}

func truncatedAnswers(s *suite) {
	b := s.bench()
	body := s.bodyOf(b.fill(s.read("answers/success.http")))
	if body == "" {
		s.Fatalf("answers/success.http has no body")
	}
	for cut := range len(strings.TrimSpace(body)) {
		for _, length := range []string{"", fmt.Sprintf("Content-Length: %d\r\n", len(body))} {
			b.answer("HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + "\r\n" + body[:cut])
			answer, err := b.send(s.Context())
			if n := s.accepted(answer, err, len(b.tokens)); n != 0 {
				s.Errorf("cut to %q: %d tokens are accepted, want none", body[:cut], n)
			}
		}
	}
}
