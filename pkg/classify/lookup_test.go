package classify_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/classify"
)

func TestLookupOfWhatNoTableHas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		level  classify.Level
		code   string
		known  bool
		class  classify.Class
		remedy classify.Remedy
		scope  classify.Scope
		tries  int
	}{
		{"an unknown code", classify.Response, "4711", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"no code", classify.Response, "", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"an unknown code of a token", classify.Token, "4711", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"a known status at another level", classify.Response, "503", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"an unknown transport code", classify.Transport, "smoke", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"no connection", classify.Transport, classify.Dial, true, classify.Retryable, classify.Backoff, classify.ScopeApp, 0},
		{"no answer", classify.Transport, classify.Timeout, true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 0},
		{"canceled by postrider", classify.Transport, classify.Canceled, true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 0},
		{"an answer that is too long", classify.Transport, classify.Oversized, true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"an informational status", classify.HTTP, "101", true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 3},
		{"a good status without a result", classify.HTTP, "200", true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 3},
		{"another good status", classify.HTTP, "299", true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 3},
		{"a redirect", classify.HTTP, "302", true, classify.Permanent, classify.Config, classify.ScopeApp, 0},
		{"a bad request", classify.HTTP, "400", true, classify.Permanent, classify.DropBatch, classify.ScopeBatch, 0},
		{"not authenticated", classify.HTTP, "401", true, classify.Retryable, classify.RefreshAuth, classify.ScopeApp, 0},
		{"forbidden", classify.HTTP, "403", true, classify.Permanent, classify.Config, classify.ScopeApp, 0},
		{"a request that is too large", classify.HTTP, "413", true, classify.Permanent, classify.Split, classify.ScopeBatch, 0},
		{"another client error", classify.HTTP, "418", true, classify.Permanent, classify.DropBatch, classify.ScopeBatch, 0},
		{"too many requests", classify.HTTP, "429", true, classify.Retryable, classify.SlowDown, classify.ScopeApp, 0},
		{"an internal error", classify.HTTP, "500", true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 3},
		{"busy", classify.HTTP, "503", true, classify.Retryable, classify.SlowDown, classify.ScopeApp, 0},
		{"another server error", classify.HTTP, "599", true, classify.Retryable, classify.Backoff, classify.ScopeBatch, 3},
		{"a status out of range", classify.HTTP, "600", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
		{"a status that is not a number", classify.HTTP, "teapot", false, classify.Retryable, classify.Backoff, classify.ScopeBatch, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, known := table(t).Lookup(c.level, c.code)
			if known != c.known || r.Class != c.class || r.Remedy != c.remedy || r.Scope != c.scope || r.Tries != c.tries {
				t.Errorf("got %+v, %v, want %+v", r, known, c)
			}
			if r.Vendor != "acme" || r.Level != c.level || r.Code != c.code || r.Meaning == "" || r.Source == "" {
				t.Errorf("got %+v, want it to say whose code it is and why", r)
			}
		})
	}
}

func TestAVendorsOwnRowBeatsTheDefault(t *testing.T) {
	t.Parallel()
	got := table(t, "http | 403 | retryable | refresh-auth | app | - | - | - | - | the access token has expired | x", "transport | timeout | retryable | backoff | batch | 2 | - | - | - | slow | x")
	if r, _ := got.Lookup(classify.HTTP, "403"); r.Remedy != classify.RefreshAuth {
		t.Errorf("got %s, want refresh-auth", r.Remedy)
	}
	if r, _ := got.Lookup(classify.Transport, classify.Timeout); r.Tries != 2 {
		t.Errorf("got %d tries, want 2", r.Tries)
	}
}

func TestWhatIsUnknownNeverDeletesAndNeverSucceeds(t *testing.T) {
	t.Parallel()
	own := table(t,
		"response | 0 | success | none | batch | - | - | - | - | accepted | x",
		"token | 7 | token-invalid | drop-token | token | - | delete | - | - | gone | x")
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.SampledFrom(classify.Levels()).Draw(t, "level")
		code := rapid.OneOf(
			rapid.String(),
			rapid.Map(rapid.Int(), strconv.Itoa),
			rapid.SampledFrom([]string{"0", "7", "00", "+0", "0 ", "200", "success", "none"}),
		).Draw(t, "code")
		r, known := own.Lookup(level, code)
		if level == classify.Response && code == "0" || level == classify.Token && code == "7" {
			return // the two that the table has
		}
		if r.Class == classify.Success || r.Class == classify.TokenInvalid || r.Action != classify.NoAction || r.Check() != nil {
			t.Fatalf("%s/%q looks up as %+v", level, code, r)
		}
		if !known && r.Remedy != classify.Backoff {
			t.Fatalf("%s/%q has remedy %s, want backoff", level, code, r.Remedy)
		}
	})
}

func TestUncertainIsWhatTheVendorMayHaveAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  string
		level classify.Level
		want  bool
	}{
		{classify.Dial, classify.Transport, false},
		{classify.Timeout, classify.Transport, true},
		{classify.Broken, classify.Transport, true},
		{classify.Canceled, classify.Transport, true},
		{classify.Oversized, classify.Transport, true},
		{classify.Malformed, classify.Transport, true},
		{"something new", classify.Transport, true},
		{"100", classify.HTTP, true},
		{"200", classify.HTTP, true},
		{"204", classify.HTTP, true},
		{"301", classify.HTTP, false},
		{"400", classify.HTTP, false},
		{"401", classify.HTTP, false},
		{"408", classify.HTTP, true},
		{"413", classify.HTTP, false},
		{"429", classify.HTTP, false},
		{"500", classify.HTTP, true},
		{"501", classify.HTTP, false},
		{"502", classify.HTTP, true},
		{"503", classify.HTTP, false},
		{"504", classify.HTTP, true},
		{"505", classify.HTTP, false},
		{"520", classify.HTTP, true}, // a proxy in between that lost the answer
		{"599", classify.HTTP, true},
		{"no status", classify.HTTP, false},
		{"80000001", classify.Response, false},
		{"1203", classify.Auth, false},
		{"7", classify.Token, false},
		{"5", classify.Receipt, false},
		{"1", classify.Callback, false},
	} {
		t.Run(fmt.Sprintf("%s of %s", c.code, c.level), func(t *testing.T) {
			t.Parallel()
			if got := classify.Uncertain(c.level, c.code); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestExplainListsRowsByLevelAndNumber(t *testing.T) {
	t.Parallel()
	own := table(t,
		"token | tokenFormatError | token-invalid | drop-token | token | - | delete | - | - | no token | x",
		"token | 10 | token-invalid | drop-token | token | - | delete | - | - | gone | x",
		"token | 9 | token-invalid | drop-token | token | - | delete | - | - | gone | x",
		"receipt | 10 | permanent | drop-token | token | - | suppress | - | - | asleep | x",
		"auth | 10 | permanent | config | app | - | - | - | - | wrong | x",
		"token | appinfoError | retryable | backoff | token | 3 | - | - | - | later | x")
	if got, want := keys(own.Explain("10")), []string{"acme/auth/10", "acme/token/10", "acme/receipt/10"}; !slices.Equal(got, want) {
		t.Errorf("of 10: got %q, want %q", got, want)
	}
	if got := own.Explain("11"); len(got) != 0 {
		t.Errorf("of an unknown code: got %v, want nothing", got)
	}
	all := keys(own.Explain(""))
	wantOrder(t, all, "acme/transport/timeout", "acme/http/400", "acme/http/504", "acme/auth/10",
		"acme/token/9", "acme/token/10", "acme/token/appinfoError", "acme/token/tokenFormatError", "acme/receipt/10")
}

// wantOrder checks that all holds the keys in this order.
func wantOrder(t *testing.T, all []string, order ...string) {
	t.Helper()
	last := -1
	for _, k := range order {
		i := slices.Index(all, k)
		if i <= last {
			t.Errorf("%s is at index %d, want it after %d: %q", k, i, last, all)
		}
		last = i
	}
}

func keys(rows []classify.Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Key())
	}
	return all
}

func TestEveryDefaultIsARightRow(t *testing.T) {
	t.Parallel()
	rows := table(t).Explain("")
	if len(rows) < 18 {
		t.Fatalf("got %d defaults, want them all", len(rows))
	}
	for _, r := range rows {
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", r.Key(), err)
		}
	}
}

func TestACodeIsWrittenAsLevelAndCode(t *testing.T) {
	t.Parallel()
	if got := (classify.Code{Level: classify.Auth, Code: "1302", Text: "busy"}).String(); got != "auth/1302" {
		t.Errorf("got %s, want auth/1302", got)
	}
}

func TestAReadingOfACodeIsExplainedWithIt(t *testing.T) {
	t.Parallel()
	own := table(t,
		"auth | 1203 | permanent | config | app | - | - | - | - | unknown client | x",
		"auth | 1203/500 | retryable | backoff | app | - | - | - | - | internal error | x",
		"auth | 12035 | permanent | config | app | - | - | - | - | something else | x")
	if got, want := keys(own.Explain("1203")), []string{"acme/auth/1203", "acme/auth/1203/500"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARowIsUncertainIfItsAnswerOrItsMeaningIs(t *testing.T) {
	t.Parallel()
	own := table(t,
		"response | 0 | success | none | batch | - | - | - | - | accepted | x",
		"response | 1 | retryable | backoff | batch | 3 | - | - | - | internal error, perhaps the message's | x",
		"response | 2 | retryable | backoff | batch | - | - | - | - | not now | x",
		"response | 3 | retryable | slow-down | app | 3 | - | - | - | too fast | x",
		"response | 4 | permanent | drop-batch | batch | - | - | - | - | bad | x")
	for _, c := range []struct {
		name  string
		level classify.Level
		code  string
		want  bool
	}{
		{"a success", classify.Response, "0", false},
		{"an internal error with a cap", classify.Response, "1", true},
		{"a clear refusal for now", classify.Response, "2", false},
		{"flow control", classify.Response, "3", false},
		{"a clear refusal for good", classify.Response, "4", false},
		{"a code that nobody knows", classify.Response, "4711", true},
		{"no answer", classify.Transport, classify.Timeout, true},
		{"no connection", classify.Transport, classify.Dial, false},
		{"a busy vendor", classify.HTTP, "503", false},
		{"a broken gateway", classify.HTTP, "502", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if r, _ := own.Lookup(c.level, c.code); r.Uncertain() != c.want {
				t.Errorf("%s is uncertain: %v, want %v", r.Key(), r.Uncertain(), c.want)
			}
		})
	}
}
