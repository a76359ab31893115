package retry_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// update writes the golden files again. They are the specification of Decide and
// SignalOf: read them to know what happens, and read their diff when they change.
var update = flag.Bool("update", false, "write the files testdata/*.golden again")

const goldenFile = "testdata/decide.golden"

// now is the moment of every decision: ten in the evening in Beijing.
func now() time.Time { return time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC) }

func policy() retry.Policy {
	return retry.Policy{Attempts: 8, First: time.Second, Max: 10 * time.Minute}
}

const goldenHeader = `# The decision of retry.Decide for every answer that a table may have, with at most 8 attempts, waits of 1s after the first
# and at most 10m, jitter in the middle of its range, and the quota's next window in 2h.
# scope: token appears where it makes a difference; batch and app only for flow control, configuration and mixed requests.
# try: of the tries that the row allows, or of the policy's attempts; attempts and tries are the same number here.
# circumstance: answer: the answer to a request; unknown: the vendor may have accepted the token nevertheless; grant: the answer
# to the request for an access token; refused: the answer refuses an access token that was renewed; probe: the request was the
# probe of a stopped app and had no answer; inconclusive: no request was made; mixed: the request had messages of several jobs;
# personal: the request had several messages of one job; of-tokens: the request was mixed, and the row is about some of its
# tokens; parked: the gate has parked the job because of the answer, for an hour; parked-2d: for two days.
# Circumstances and numbers of tokens that do not change the decisions are left out.
# tokens: how many the request has. asked: the vendor's Retry-After. expires: when the job expires, from now.
`

func TestDecideDoesWhatItsGoldenFileSays(t *testing.T) {
	t.Parallel()
	compareGolden(t, goldenFile, crossProduct())
}

// compareGolden compares with a golden file. With -update it writes the file first.
func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, string(got), string(want))
}

// compareLines shows the first lines that differ.
func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(g) != len(w) {
		t.Errorf("got %d lines, want %d: run the test with -update and read the diff", len(g), len(w))
	}
	shown := 0
	for i := range min(len(g), len(w)) {
		if g[i] == w[i] {
			continue
		}
		if shown++; shown > 5 {
			t.Fatal("… and more")
		}
		t.Errorf("line %d:\n got %s\nwant %s", i+1, g[i], w[i])
	}
}

// crossProduct decides every case of the table.
func crossProduct() []byte {
	var b bytes.Buffer
	b.WriteString(goldenHeader)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\tremedy\tscope\ttry\tcircumstance\tdelivery\ttokens\tasked\texpires\tverdict\tcounted\treason")
	for _, row := range allowedRows() {
		for _, scope := range scopes(row.Remedy) {
			row.Scope = scope
			for _, tries := range []int{0, 3} {
				if row.Tries = tries; row.Check() != nil {
					continue
				}
				most := cmp.Or(tries, 8)
				for _, try := range []int{1, most - 1, most} {
					writeCases(w, row, try, most)
				}
			}
		}
	}
	_ = w.Flush() // into memory
	return b.Bytes()
}

// scopes returns the scopes that make a difference for a remedy.
func scopes(m classify.Remedy) []classify.Scope {
	switch m {
	case classify.SlowDown, classify.Config, classify.DropBatch:
		return []classify.Scope{classify.ScopeToken, classify.ScopeBatch, classify.ScopeApp}
	case classify.None, classify.Backoff, classify.RefreshAuth, classify.WaitQuota, classify.Split, classify.DropToken:
	}
	return []classify.Scope{classify.ScopeBatch}
}

type circumstance struct {
	name string
	set  func(*retry.Result, *retry.State)
}

func circumstances() []circumstance {
	return []circumstance{
		{"answer", func(*retry.Result, *retry.State) {}},
		{"unknown", func(r *retry.Result, _ *retry.State) { r.Uncertain = true }},
		{"grant", func(r *retry.Result, _ *retry.State) { r.Stage = retry.GrantRefused }},
		{"refused", func(r *retry.Result, _ *retry.State) { r.Stage = retry.AccessRefused }},
		{"probe", func(r *retry.Result, _ *retry.State) { r.Probe, r.Row.Level = true, classify.Transport }},
		{"inconclusive", func(r *retry.Result, _ *retry.State) { r.Stage = retry.Unprepared }},
		{"mixed", func(r *retry.Result, _ *retry.State) { r.Mixed, r.SeveralJobs = true, true }},
		{"personal", func(r *retry.Result, _ *retry.State) { r.Mixed = true }},
		{"of-tokens", func(r *retry.Result, _ *retry.State) { r.Mixed, r.SeveralJobs, r.OfTokens = true, true, true }},
		{"parked", parkedFor(time.Hour)},
		{"parked-2d", parkedFor(48 * time.Hour)},
	}
}

// parkedFor sets ParkedUntil, if the answer parks jobs.
func parkedFor(wait time.Duration) func(*retry.Result, *retry.State) {
	return func(r *retry.Result, s *retry.State) {
		if retry.SignalOf(*r).Parks() {
			s.ParkedUntil = now().Add(wait)
		}
	}
}

// writeCases writes the decisions for each circumstance, with one token and with
// 1,000. It leaves out those that equal the decisions without the circumstance, or
// with one token.
func writeCases(w *tabwriter.Writer, row classify.Row, try, most int) {
	var plain, one string
	for i, c := range circumstances() {
		for _, tokens := range []int{1, 1000} {
			name := fmt.Sprintf("%s\t%s\t%s\t%d of %d", row.Class, row.Remedy, row.Scope, try, most)
			what := decideAll(row, try, tokens, c)
			if i == 0 && tokens == 1 {
				plain = what
			}
			same := i > 0 && what == plain || tokens > 1 && what == one
			if one = what; same {
				continue
			}
			for line := range strings.Lines(what) {
				delivery, rest, _ := strings.Cut(line, "\t")
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s", name, c.name, delivery, tokens, rest)
			}
		}
	}
}

// decideAll returns a line for each delivery, Retry-After and expiry.
func decideAll(row classify.Row, try, tokens int, c circumstance) string {
	var b strings.Builder
	for i := range 1 << 3 {
		pick := func(bit int) bool { return i&(1<<bit) != 0 }
		r := retry.Result{Row: row}
		s := retry.State{
			Attempt: try, AtMostOnce: pick(2), Tokens: tokens, Now: now(), Expires: now().Add(24 * time.Hour),
			Jitter: 0.5, QuotaReset: now().Add(2 * time.Hour),
		}
		c.set(&r, &s)
		if r.CountsTries() {
			s.Tries = try
		}
		delivery, asked, expires := "at-least-once", "-", "24h"
		if s.AtMostOnce {
			delivery = "at-most-once"
		}
		if pick(1) {
			r.RetryAfter, asked = 30*time.Second, "30s"
		}
		if pick(0) {
			s.Expires, expires = now().Add(20*time.Second), "20s"
		}
		d := retry.Decide(policy(), r, s)
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", delivery, asked, expires, verdict(d, s), counted(d), orDash(string(d.Reason)))
	}
	return b.String()
}

func verdict(d retry.Decision, s retry.State) string {
	switch d.Verdict {
	case retry.End:
		return "end " + string(d.Outcome)
	case retry.Again:
		return "again in " + d.At.Sub(s.Now).String()
	case retry.Wait:
		return "wait " + d.At.Sub(s.Now).String()
	case retry.Halve:
		return "halve"
	}
	return "UNKNOWN " + string(d.Verdict)
}

func counted(d retry.Decision) string {
	if d.Counted {
		return "counts"
	}
	return "free"
}

func orDash(reason string) string {
	if reason == "" {
		return "-"
	}
	return reason
}

func classes() []classify.Class {
	return []classify.Class{classify.Success, classify.Retryable, classify.Permanent, classify.TokenInvalid}
}

func remedies() []classify.Remedy {
	return []classify.Remedy{
		classify.None, classify.Backoff, classify.RefreshAuth, classify.SlowDown, classify.WaitQuota,
		classify.Split, classify.DropBatch, classify.DropToken, classify.Config,
	}
}

// allowedRows returns a row for every class and remedy that Check accepts.
func allowedRows() []classify.Row {
	var rows []classify.Row
	for _, c := range classes() {
		for _, m := range remedies() {
			r := classify.Row{Vendor: "v", Level: classify.Response, Code: "1", Class: c, Remedy: m, Scope: classify.ScopeBatch}
			if c == classify.TokenInvalid {
				r.Action = classify.Delete
			}
			if r.Check() == nil {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

func TestTheTableHasEveryOutcomeThatAnAnswerCanHave(t *testing.T) {
	t.Parallel()
	b := crossProduct()
	for _, o := range wire.Outcomes() {
		// A person cancels a job, not an answer.
		if got, want := bytes.Contains(b, []byte("  end "+o)), o != wire.Canceled; got != want {
			t.Errorf("outcome %s appears in the table: %v, want %v", o, got, want)
		}
	}
}
