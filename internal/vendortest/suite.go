package vendortest

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

var update = flag.Bool("update", false, "write the golden files of the vendor's testdata folder")

// Run runs the conformance suite for an adapter. dir is the vendor's testdata
// folder. Each check is a parallel subtest.
func Run(t *testing.T, spec vendors.Spec, dir string) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&suite{reporter: t, spec: spec, dir: dir, update: *update, patience: 5 * time.Second})
		})
	}
}

// reporter has the methods of *testing.T that a check needs. The tests of this
// package pass a recorder instead, to prove that the suite finds planted faults.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
	Context() context.Context
}

// suite is what one check knows about a vendor.
type suite struct {
	reporter
	spec     vendors.Spec
	dir      string // the vendor's testdata folder
	update   bool   // write golden files
	patience time.Duration
}

// about returns the suite with a prefix for everything that it reports.
func (s *suite) about(format string, args ...any) *suite {
	other := *s
	other.reporter = prefixed{s.reporter, fmt.Sprintf(format, args...) + ": "}
	return &other
}

type prefixed struct {
	reporter
	prefix string
}

func (p prefixed) Errorf(format string, args ...any) {
	p.Helper()
	p.reporter.Errorf("%s%s", p.prefix, fmt.Sprintf(format, args...))
}

func (p prefixed) Fatalf(format string, args ...any) {
	p.Helper()
	p.reporter.Fatalf("%s%s", p.prefix, fmt.Sprintf(format, args...))
}

// check is one requirement of an adapter.
type check struct {
	name string // a sentence with _ for spaces
	run  func(s *suite)
}

func checks() []check {
	list := []struct {
		name string
		run  func(s *suite)
	}{
		{"the spec is complete", specIsComplete},
		{"the numbers of the spec are pinned", specIsPinned},
		{"every field of a message is mapped", fieldsAreMapped},
		{"the limits are those that Check enforces", limitsAreEnforced},

		{"every row has a meaning and a source", rowsAreComplete},
		{"the codes are pinned", codesArePinned},
		{"every code of the documents is known", seedsAreKnown},
		{"every used-up quota names a bucket", quotasHaveBuckets},
		{"every response row is read", responseRows},
		{"every token row is read", tokenRows},
		{"every auth row is read", authRows},
		{"an unknown code neither accepts nor deletes", unknownCodes},

		{"settings and adapters never print a secret", secretsAreSilent},
		{"empty settings are faulty", emptySettings},
		{"plain HTTP is for loopback hosts only", plainHTTP},

		{"documented answers are read as documented", answers},
		{"concurrent sends make one request each", concurrentSends},
		{"a code never decides against its HTTP status", contradictions},
		{"no HTTP status is success by itself", statuses},
		{"Retry-After is passed on", retryAfter},
		{"canceling returns at once", canceling},
		{"a deadline is a timeout", deadlines},
		{"a refused connection is known to be unsent", refusedConnections},
		{"a broken connection is not repeated", brokenConnections},
		{"an oversized answer is refused", oversizedAnswers},
		{"a truncated answer is never success", truncatedAnswers},

		{"requests are pinned", requestsArePinned},
		{"a full batch is one request", fullBatches},
		{"two keys are two messages to the vendor", keys},
		{"overrides cannot replace receivers, keys or credentials", overridesAreHarmless},

		{"documented grants are read as documented", grants},
		{"the grant request is pinned", grantRequest},
		{"concurrent grants make one request each", concurrentGrants},
		{"signed access tokens are pinned", signedTokens},

		{"documented uploads are read as documented", uploads},
		{"upload requests are pinned", uploadRequests},
		{"every response row can refuse an upload", refusedUploads},
		{"an uploaded message that is gone is noticed", goneUploads},
		{"a send without its upload makes no request", missingUploads},
		{"a new upload is another request", newUploads},

		{"several messages are one request", mixedRequests},
		{"every response row can answer several messages", mixedRows},

		{"receipts are read as documented", receiptsAreRead},
		{"receipt events agree with the table", receiptEvents},
	}
	all := make([]check, len(list))
	for i, c := range list {
		all[i] = check{strings.ReplaceAll(c.name, " ", "_"), c.run}
	}
	return all
}
