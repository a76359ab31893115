package retry_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/retry"
)

const signalFile = "testdata/signal.golden"

const signalHeader = `# The signal of retry.SignalOf for every answer that a table may have: what it means for other requests of the (app, vendor).
# bucket: whether the row names one. Levels and buckets with the same signals share a line.
# The columns from "answered" on are circumstances. mixed: the request had messages of several jobs; personal: the request had
# several messages of one job; tokens: the request was mixed, and the row is about some of its tokens; refused: the answer refuses
# an access token that was renewed; unsent: no byte of the request was written; grant: the answer to the request for an access
# token; abandoned: the worker gave up waiting for the answer; unprepared: no request was made. "-" is nothing.
`

func TestSignalOfSaysWhatItsGoldenFileSays(t *testing.T) {
	t.Parallel()
	compareGolden(t, signalFile, signals())
}

// signals is the cross product of rows and circumstances.
func signals() []byte {
	var b bytes.Buffer
	b.WriteString(signalHeader)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "class\tremedy\tscope\tbucket\tlevel")
	for _, c := range signalCircumstances() {
		fmt.Fprint(w, "\t", c.name)
	}
	fmt.Fprintln(w)
	for _, row := range allowedRows() {
		for _, row.Scope = range []classify.Scope{classify.ScopeToken, classify.ScopeBatch, classify.ScopeApp} {
			writeSignals(w, row)
		}
	}
	_ = w.Flush() // into memory
	return b.Bytes()
}

// writeSignals writes a line for each bucket and each group of levels with the same
// signals.
func writeSignals(w *tabwriter.Writer, row classify.Row) {
	var order []string
	levels := map[string][]string{} // by the line without the levels
	for _, row.Bucket = range []string{"", "b"} {
		if row.Bucket != "" && row.Remedy != classify.WaitQuota {
			continue // no such row passes Check
		}
		for _, l := range answersByLevel() {
			row.Level, row.Code = l.Level, l.Code
			name := string(l.Level)
			if l.Level == classify.Transport {
				name += "/" + l.Code
			}
			line := lineOfSignals(row)
			if levels[line] == nil {
				order = append(order, line)
			}
			levels[line] = append(levels[line], name)
		}
	}
	for _, line := range order {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Class, row.Remedy, row.Scope, strings.Replace(line, "LEVELS", strings.Join(levels[line], " "), 1))
	}
}

func lineOfSignals(row classify.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\tLEVELS", orDash(row.Bucket))
	for _, c := range signalCircumstances() {
		r := retry.Result{Row: row}
		c.set(&r)
		s := retry.SignalOf(r)
		if s == retry.Nothing {
			s = "-"
		}
		fmt.Fprintf(&b, "\t%s", s)
	}
	return b.String()
}

// answersByLevel returns a code of every level that a request's answer may have, and
// all codes of the level transport that make a difference.
func answersByLevel() []classify.Code {
	return []classify.Code{
		{Level: classify.Transport, Code: classify.Dial}, {Level: classify.Transport, Code: classify.Timeout},
		{Level: classify.Transport, Code: classify.Broken}, {Level: classify.Transport, Code: classify.Canceled},
		{Level: classify.HTTP, Code: "1"}, {Level: classify.Auth, Code: "1"}, {Level: classify.Response, Code: "1"}, {Level: classify.Token, Code: "1"},
	}
}

type signalCircumstance struct {
	name string
	set  func(*retry.Result)
}

func signalCircumstances() []signalCircumstance {
	at := func(s retry.Stage) func(*retry.Result) { return func(r *retry.Result) { r.Stage = s } }
	return []signalCircumstance{
		{"answered", at(retry.Answered)},
		{"mixed", func(r *retry.Result) { r.Mixed, r.SeveralJobs = true, true }},
		{"personal", func(r *retry.Result) { r.Mixed = true }},
		{"tokens", func(r *retry.Result) { r.Mixed, r.SeveralJobs, r.OfTokens = true, true, true }},
		{"refused", at(retry.AccessRefused)},
		{"unsent", at(retry.NotSent)},
		{"grant", at(retry.GrantRefused)},
		{"abandoned", at(retry.Abandoned)},
		{"unprepared", at(retry.Unprepared)},
	}
}

func TestAResultThatTheVendorDidNotCauseSaysNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := situations().Draw(t, "situation")
		ours := x.r.Stage == retry.Abandoned || x.r.Stage == retry.Unprepared
		if s := retry.SignalOf(x.r); ours && s != retry.Nothing {
			t.Fatalf("got %s for %+v", s, x.r)
		}
	})
}

func TestOnlyASuccessRaisesTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := situations().Draw(t, "situation")
		if s := retry.SignalOf(x.r); s == retry.Accepted && x.r.Row.Class != classify.Success {
			t.Fatalf("got %s for %+v", s, x.r)
		}
	})
}

// An app is stopped by what the vendor says about the app, or by silence.
func TestOneMessageOrTokenNeverStopsTheApp(t *testing.T) {
	t.Parallel()
	stops := []retry.Signal{retry.TooFast, retry.Misconfigured, retry.ParkOrStop}
	rapid.Check(t, func(t *rapid.T) {
		x := situations().Draw(t, "situation")
		about := x.r.Row.Scope == classify.ScopeApp || x.r.Stage == retry.GrantRefused || x.r.Stage == retry.AccessRefused
		if s := retry.SignalOf(x.r); slices.Contains(stops, s) && !about {
			t.Fatalf("got %s for %+v", s, x.r)
		}
	})
}

func TestFlowControlThatLastsIsTakenForAQuotaIfItsRowNamesAWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		window  classify.Window
		stopped time.Duration
		want    bool
	}{
		{classify.Day, 10 * time.Minute, true}, {classify.Day, 10*time.Minute - 1, false}, {"", time.Hour, false},
	} {
		if got := retry.TakenForQuota(classify.Row{Window: c.window}, c.stopped); got != c.want {
			t.Errorf("window %q, stopped for %v: got %v, want %v", c.window, c.stopped, got, c.want)
		}
	}
}
