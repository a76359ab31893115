package vendortest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func answers(s *suite) {
	succeeded, echoed := false, false
	for _, name := range s.names("answers", ".http") {
		s := s.about("answers/%s", name)
		b := s.benchFor("answers/" + name)
		raw := s.read("answers/" + name + ".http")
		b.answer(b.fill(raw))
		answer, err := b.send(s.Context())
		s.golden("answers/"+name+".want", s.describe(answer, err))
		succeeded = succeeded || s.accepted(answer, err, len(b.tokens)) == len(b.tokens)
		echoed = echoed || strings.Contains(raw, "%TOKEN%") && (strings.Contains(raw, "%SECRET%") || s.signs())
	}
	if !succeeded || !echoed {
		s.Errorf("answers/ needs one that accepts every token (have: %v) and one with %%TOKEN%% and %%SECRET%% (have: %v)", succeeded, echoed)
	}
}

// describe returns an answer in the format of a .want file.
func (s *suite) describe(a vendors.Answer, err error) string {
	s.Helper()
	if err != nil {
		return "error " + s.vendorError(err).Code.String() + "\n"
	}
	var text strings.Builder
	fmt.Fprintln(&text, a.Code)
	for _, tc := range a.Tokens {
		fmt.Fprintln(&text, tc.Index, tc.Code)
	}
	return text.String()
}

// vendorError ends the check unless the error is a *vendors.Error with a code.
func (s *suite) vendorError(err error) *vendors.Error {
	s.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) || e.Op == "" || !slices.Contains(classify.Levels(), e.Code.Level) || e.Code.Code == "" {
		s.Fatalf("got the error %T, want a *vendors.Error with an operation and a code", err)
	}
	return e
}

// accepted counts how many of n tokens an answer reports accepted.
func (s *suite) accepted(a vendors.Answer, err error, n int) int {
	if err != nil {
		return 0
	}
	success := func(c classify.Code) bool { return s.row(c).Class == classify.Success }
	count := 0
	if success(a.Code) {
		count = n - len(a.Tokens)
	}
	for _, tc := range a.Tokens {
		if success(tc.Code) {
			count++
		}
	}
	return count
}

func (s *suite) row(c classify.Code) classify.Row {
	row, _ := s.spec.Codes.Lookup(c.Level, c.Code)
	return row
}

func concurrentSends(s *suite) {
	b := s.bench()
	b.succeed()
	const calls = 16
	s.atOnce(calls, func() error {
		_, err := b.vendor.Send(context.WithoutCancel(s.Context()), b.request())
		return err
	})
	if n := b.requests.Load(); n != calls {
		s.Errorf("%d calls of Send made %d requests, want one each", calls, n)
	}
}

// atOnce makes calls at the same time and reports those that fail.
func (s *suite) atOnce(calls int, call func() error) {
	s.Helper()
	done := make(chan error, calls)
	for range calls {
		go func() { done <- call() }()
	}
	for range calls {
		if err := <-done; err != nil {
			s.Errorf("a concurrent call fails: %v", err)
		}
	}
}

// contradictions tries codes under HTTP statuses that contradict them. A 404 or
// 5xx whose JSON body has the code 80300007 was seen through a proxy.
func contradictions(s *suite) {
	b := s.bench()
	bodies := map[string]string{}
	envelope := b.fill(s.read("envelope.txt"))
	for _, row := range s.rows(classify.Response) {
		if (row.Class == classify.Success || row.Class == classify.TokenInvalid) && !strings.HasPrefix(row.Code, vendors.UploadPrefix) {
			bodies[row.Key()] = s.bodyOf(strings.ReplaceAll(envelope, "%CODE%", row.Code))
		}
	}
	for _, name := range s.names("answers", ".http") { // some of them name tokens
		bodies[name] = s.bodyOf(b.fill(s.read("answers/" + name + ".http")))
	}
	if len(bodies) < 2 {
		s.Fatalf("there are %d codes to try, want 2 at least", len(bodies))
	}
	for _, status := range []int{301, 400, 401, 403, 404, 429, 500, 502, 503} {
		for key, body := range bodies {
			s := s.about("HTTP %d with %s", status, key)
			b.answer(fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n%s", status, http.StatusText(status), body))
			answer, err := b.vendor.Send(s.Context(), b.request())
			if err != nil {
				if e := s.vendorError(err); e.Code.Level != classify.Transport {
					s.Errorf("%v", err)
				}
				continue
			}
			if answer.Status != status {
				s.Fatalf("the answer's status is %d", answer.Status)
			}
			consistent := answer.Consistent(s.spec.Codes)
			for _, c := range append(consistent.Tokens, vendors.TokenCode{Code: consistent.Code}) {
				if r := s.row(c.Code); r.Class == classify.Success || r.Class == classify.TokenInvalid {
					s.Errorf("the code is %s, which is %s", c.Code, r.Class)
				}
			}
		}
	}
}

// bodyOf returns the body of a raw answer.
func (s *suite) bodyOf(raw string) string {
	s.Helper()
	_, body, ok := strings.Cut(strings.ReplaceAll(raw, "\r\n", "\n"), "\n\n")
	if !ok && !strings.HasSuffix(raw, "\n") {
		s.Fatalf("a fixture has no empty line after its header: %q", raw)
	}
	return body
}
