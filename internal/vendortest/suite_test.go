package vendortest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const toyDir = "testdata/toy"

// With -update, TestAVendorWithoutFaultsPasses also writes the toy's golden files.
func TestAVendorWithoutFaultsPasses(t *testing.T) {
	t.Parallel()
	Run(t, toySpec(&plant{}), toyDir)
}

func TestAVendorMayHaveNoReceipts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(toyDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "receipts")); err != nil {
		t.Fatal(err)
	}
	spec := toySpec(&plant{})
	spec.Receipts = nil
	for _, c := range checks() {
		for _, fault := range audit(t, c, spec, dir) {
			if c.name != "the_numbers_of_the_spec_are_pinned" { // they say that there are receipts
				t.Errorf("%s: %s", c.name, fault)
			}
		}
	}
}

// TestThePlantedFaultsAreFound runs the suite against toys with one fault each. The
// check for that fault must report it.
func TestThePlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	const (
		overrides  = "overrides cannot replace receivers, keys or credentials"
		documented = "documented answers are read as documented"
		limits     = "the limits are those that Check enforces"
		codes      = "the codes are pinned"
		complete   = "the spec is complete"
	)
	tests := []struct {
		fault string
		plant plant
		spec  func(*vendors.Spec)
		check string
		said  string // a part of the report
	}{
		{fault: "overrides may replace the tokens", plant: plant{reserved: []string{"id", "access"}}, check: overrides, said: "replaces to"},
		{fault: "overrides may add a second list of tokens", plant: plant{reserved: []string{"id", "access"}, appends: true}, check: overrides, said: "has a member twice"},
		{fault: "overrides may replace the key", plant: plant{reserved: []string{"to", "access"}}, check: overrides, said: "replaces id"},
		{fault: "overrides may set the Authorization header", plant: plant{header: true}, check: overrides, said: "changes the address or a header"},
		{fault: "the key field does not follow from the key", plant: plant{keyless: true}, spec: func(s *vendors.Spec) { s.KeyFields = []string{"title"} }, check: overrides, said: "does not follow from the key"},

		{fault: "Check allows more than the limit", plant: plant{max: 2001}, check: limits, said: "one over the limit"},
		{fault: "Check allows less than the limit", plant: plant{max: 1999}, check: limits, said: "refuses a message at the limit"},
		{fault: "the limit is wrong", spec: func(s *vendors.Spec) { s.Limits[0].Max = 4096 }, check: limits, said: "refuses a message at the limit"},
		{fault: "the limit is not the pinned one", spec: func(s *vendors.Spec) { s.Limits[0].Max = 4096 }, check: "the numbers of the spec are pinned", said: "-update"},
		{fault: "the limit does not measure the request", spec: func(s *vendors.Spec) {
			s.Limits[0] = vendors.Limit{Field: "message.body", Max: 3, Size: func(m *push.Message) (int, error) { return len(m.Body) - 1800, nil }}
		}, check: limits, said: "but the request has"},
		{fault: "there are no limits", spec: func(s *vendors.Spec) { s.Limits = nil }, check: complete, said: "Limits"},

		{fault: "a secret stays in a text", plant: plant{leaks: true}, check: documented, said: "a token or a secret"},
		{fault: "a token stays in a text", plant: plant{leaksToken: true}, check: documented, said: "a token or a secret"},
		{fault: "a secret is in an error", plant: plant{leaksInError: true}, check: documented, said: "a token or a secret"},
		{fault: "an adapter prints its secret", plant: plant{prints: true}, check: "settings and adapters never print a secret", said: "a token or a secret"},

		{fault: "a refused request is repeated", plant: plant{repeats: true}, check: "no HTTP status is success by itself", said: "made 2 requests"},
		{fault: "a request without an answer is repeated", plant: plant{resends: true}, check: "a broken connection is not repeated", said: "made 2 requests"},
		{fault: "the context is ignored", plant: plant{ignoresCtx: true}, check: "canceling returns at once", said: "no return"},
		{fault: "the deadline is ignored", plant: plant{ignoresCtx: true}, check: "a deadline is a timeout", said: "no return"},
		{fault: "an error is not a *vendors.Error", plant: plant{talkative: true}, check: "a deadline is a timeout", said: "want a *vendors.Error"},
		{fault: "a refused connection may have sent something", plant: plant{unsentUnknown: true}, check: "a refused connection is known to be unsent", said: "nothing was sent"},

		{fault: "an HTML page is a success", plant: plant{optimistic: true}, check: "no HTTP status is success by itself", said: "want none"},
		{fault: "an unknown code is a success", plant: plant{acceptsAll: true}, check: "an unknown code neither accepts nor deletes", said: "want none"},
		{fault: "half an answer is a success", plant: plant{hasty: true}, check: "a truncated answer is never success", said: "want none"},
		{fault: "the status is not passed on", plant: plant{statusless: true}, check: "a code never decides against its HTTP status", said: "the answer's status is 0"},
		{fault: "Retry-After is dropped", plant: plant{impatient: true}, check: "Retry-After is passed on", said: "got RetryAfter 0s"},
		{fault: "answers have no limit", plant: plant{greedy: true}, check: "an oversized answer is refused", said: "oversized"},

		{fault: "a token is left out", plant: plant{forgetful: true}, check: "a full batch is one request", said: "0 times"},
		{fault: "Send changes its request", plant: plant{mutates: true}, check: "a full batch is one request", said: "Send changed the tokens"},
		{fault: "the key is not sent", plant: plant{keyless: true}, check: "two keys are two messages to the vendor", said: "are one message"},
		{fault: "a request has another field", plant: plant{wrongRequest: true}, check: "requests are pinned", said: "-update"},

		{fault: "Send asks for an access token", plant: plant{grantsInSend: true}, check: "concurrent sends make one request each", said: "want one each"},
		{fault: "a grant is kept", plant: plant{cachesGrants: true}, check: "concurrent grants make one request each", said: "want 8"},

		{fault: "plain http is accepted", plant: plant{insecure: true}, check: "plain HTTP is for loopback hosts only", said: "is accepted"},
		{fault: "empty settings are valid", plant: plant{contentless: true}, check: "empty settings are faulty", said: "no fault"},
		{fault: "a field is not mapped", spec: func(s *vendors.Spec) { s.Mapping = s.Mapping[1:] }, check: "every field of a message is mapped", said: "message.kind"},
		{fault: "a quota has no row", spec: func(s *vendors.Spec) { s.Quotas = append(s.Quotas, vendors.Quota{Bucket: "x", Meaning: "y"}) }, check: "every used-up quota names a bucket", said: `"x"`},
		{fault: "MaxMixed is set without a MixedSender", spec: func(s *vendors.Spec) { s.MaxMixed = 5 }, check: complete, said: "MixedSender"},
		{fault: "the demo's settings are not valid", spec: func(s *vendors.Spec) { s.Demo = `base_url: "%BASE%"` }, check: complete, said: "Demo has faults"},

		{fault: "a row is lost", spec: table("receipt	shown", ""), check: codes, said: "codes.golden differs"},
		{fault: "a row has another class", spec: table("response	busy	retryable	backoff", "response	busy	permanent	drop-batch"), check: codes, said: "codes.golden differs"},
		{fault: "a row has another scope", spec: table("response	busy	retryable	backoff	batch", "response	busy	retryable	backoff	app"), check: codes, said: "-update"},
		{fault: "a row has no source", spec: table("try again later	https://toy.example/api", "try again later	the forum"), check: "every row has a meaning and a source", said: "the forum"},
		{fault: "a receipt that failed is a success", spec: table("receipt	gone	token-invalid	drop-token	token	-	delete", "receipt	gone	success	none	token	-	-"), check: "receipt events agree with the table", said: "has the event failed"},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			spec := toySpec(&tt.plant)
			if tt.spec != nil {
				tt.spec(&spec)
			}
			found(t, audit(t, checkNamed(t, tt.check), spec, toyDir), tt.said)
		})
	}
}

// The report about a missing or different golden file says how to write it.
func TestAMissingOrDifferentGoldenFileIsReported(t *testing.T) {
	t.Parallel()
	for file, check := range map[string]string{
		"codes.golden":                 "the codes are pinned",
		"spec.golden":                  "the numbers of the spec are pinned",
		"requests/notification.golden": "requests are pinned",
		"answers/partial.want":         "documented answers are read as documented",
		"auth/request.golden":          "the grant request is pinned",
		"auth/denied.want":             "documented grants are read as documented",
		"receipts/two.want":            "receipts are read as documented",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(toyDir)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.FromSlash(file))
			if err := os.WriteFile(path, []byte("something else\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := checkNamed(t, check)
			found(t, audit(t, c, toySpec(&plant{}), dir), "with -update")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			found(t, audit(t, c, toySpec(&plant{}), dir), "is missing")
			s := &suite{reporter: t, spec: toySpec(&plant{}), dir: dir, update: true, patience: time.Second}
			c.run(s)
			want, err := os.ReadFile(filepath.Join(toyDir, filepath.FromSlash(file)))
			if got, bad := os.ReadFile(path); err != nil || bad != nil || string(got) != string(want) {
				t.Errorf("-update writes %q (%v, %v), want %q", got, err, bad, want)
			}
		})
	}
}

func TestAFixtureThatIsMissingEndsItsCheck(t *testing.T) {
	t.Parallel()
	for file, check := range map[string]string{
		"settings.yaml":        "an oversized answer is refused",
		"tokens.txt":           "a full batch is one request",
		"envelope.txt":         "every response row is read",
		"answers/success.http": "a truncated answer is never success",
		"answers":              "documented answers are read as documented",
		"receipts":             "receipts are read as documented",
		"requests":             "requests are pinned",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(toyDir)); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(file))); err != nil {
				t.Fatal(err)
			}
			found(t, audit(t, checkNamed(t, check), toySpec(&plant{}), dir), filepath.Base(file))
		})
	}
}

// table changes the toy's codes. An empty replacement removes the row.
func table(old, replacement string) func(*vendors.Spec) {
	return func(s *vendors.Spec) {
		text := strings.Replace(toyCodes, old, replacement, 1)
		if replacement == "" {
			var kept []string
			for line := range strings.Lines(toyCodes) {
				if !strings.HasPrefix(line, old) {
					kept = append(kept, line)
				}
			}
			text = strings.Join(kept, "")
		}
		s.Codes = parseToy(text)
	}
}

func checkNamed(t *testing.T, sentence string) check {
	t.Helper()
	for _, c := range checks() {
		if c.name == strings.ReplaceAll(sentence, " ", "_") {
			return c
		}
	}
	t.Fatalf("there is no check %q", sentence)
	return check{}
}

func found(t *testing.T, faults []string, said string) {
	t.Helper()
	for _, fault := range faults {
		if strings.Contains(fault, said) {
			return
		}
	}
	t.Errorf("got %d reports, want one with %q: %.2000q", len(faults), said, faults)
}

// audit runs a check against a vendor and returns the faults that it reports.
func audit(t *testing.T, c check, spec vendors.Spec, dir string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanUp()
		c.run(&suite{reporter: r, spec: spec, dir: dir, patience: time.Second})
	}()
	<-done
	return r.faults
}

// recorder records what a check reports.
type recorder struct {
	ctx      context.Context // it replaces that of testing.T
	mu       sync.Mutex
	faults   []string
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) cleanUp() {
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}
