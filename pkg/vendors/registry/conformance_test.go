// The conformance suite: what every adapter has to do, whatever its vendor.
// It walks the registry and reads each vendor's testdata folder:
//
//	settings.yaml        the vendor's settings; %BASE% is the test server's address
//	tokens.txt           the tokens of every request, one a line
//	answers/NAME.http    an answer, byte for byte, as the vendor documents it
//	answers/NAME.want    "level/code", then "index level/code" for each token
//	                     with a code of its own; or "error level/code";
//	                     NAME.tokens.txt replaces the tokens
//	auth/NAME.http .want the same for the token endpoint: "grant ACCESS SECONDS" or "error level/code"
//	auth/request.golden  the request for an access token
//	auth/signed.golden   instead of all these, for a vendor that signs its access
//	                     tokens itself: the token decoded
//	requests/NAME.json   a push.Message, and .golden the request made of it;
//	                     NAME.settings.yaml replaces the settings,
//	                     NAME.tokens.txt the tokens
//	save/                for vendors that save messages: see save_test.go
//	envelope.txt         an answer with %CODE%, for every row of level response
//	token-envelope.txt   the same with %CODE% and %TOKEN%, for rows of level
//	                     token that no answer shows
//	auth-envelope.txt    the same for rows of level auth, with %CODE% and %SUB%
//
// %TOKEN%, %ACCESS% and %SECRET% in an answer stand for what was sent.
package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDocumentedAnswersAreReadAsDocumented(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		succeeded, echoed := false, false
		for _, name := range fixtures(t, spec, "answers", ".http") {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, spec)
				b.takeTokens(t, "answers/"+name)
				raw := read(t, spec, "answers/"+name+".http")
				b.answer(b.fill(raw))
				answer, err := b.send(t.Context(), t)
				got, want := describe(t, answer, err), read(t, spec, "answers/"+name+".want")
				if got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				succeeded = succeeded || accepted(spec, answer, err, len(b.tokens)) == len(b.tokens)
				echoed = echoed || strings.Contains(raw, "%TOKEN%") && (strings.Contains(raw, "%SECRET%") || signs(spec))
			})
		}
		if !succeeded || !echoed {
			t.Errorf("answers need one that accepts every token (have: %v) and one with %%TOKEN%% and %%SECRET%% (have: %v)", succeeded, echoed)
		}
	})
}

func TestDocumentedGrantsAreReadAsDocumented(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		if _, ok := newBench(t, spec).granter(); !ok {
			return
		}
		for _, name := range fixtures(t, spec, "auth", ".http") {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, spec)
				b.answer(b.fill(read(t, spec, "auth/"+name+".http")))
				grant, err := b.grant(t.Context(), t, b.vendor.(vendors.Granter))
				got := fmt.Sprintf("grant %s %d\n", grant.Access, int(grant.Lifetime.Seconds()))
				if err != nil {
					got = describe(t, vendors.Answer{}, err)
				}
				if want := read(t, spec, "auth/"+name+".want"); got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		}
	})
}

// describe writes an answer as a .want file has it.
func describe(t *testing.T, a vendors.Answer, err error) string {
	t.Helper()
	if err != nil {
		return "error " + vendorError(t, err).Code.String() + "\n"
	}
	var s strings.Builder
	fmt.Fprintln(&s, a.Code)
	for _, tc := range a.Tokens {
		fmt.Fprintln(&s, tc.Index, tc.Code)
	}
	return s.String()
}

// vendorError fails the test unless the error is a *vendors.Error with a code.
func vendorError(t *testing.T, err error) *vendors.Error {
	t.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) || e.Op == "" || !slices.Contains(classify.Levels(), e.Code.Level) || e.Code.Code == "" {
		t.Fatalf("got error %#v, want a *vendors.Error with an operation and a code", err)
	}
	return e
}

// accepted counts how many of n tokens an answer reports accepted.
func accepted(spec vendors.Spec, a vendors.Answer, err error, n int) int {
	if err != nil {
		return 0
	}
	success := func(c classify.Code) bool {
		row, _ := spec.Codes.Lookup(c.Level, c.Code)
		return row.Class == classify.Success
	}
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

func TestAdaptersAreSafeForConcurrentUse(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		b.answer(b.fill(read(t, spec, "answers/success.http")))
		const calls = 16
		done := make(chan error, calls)
		for range calls {
			go func() {
				_, err := b.vendor.Send(context.WithoutCancel(t.Context()), b.request())
				done <- err
			}()
		}
		for range calls {
			if err := <-done; err != nil {
				t.Errorf("concurrent send: %v", err)
			}
		}
		if n := b.requests.Load(); n != calls {
			t.Errorf("got %d requests, want %d", n, calls)
		}
	})
}
