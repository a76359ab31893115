package classify_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
)

const head = "level\tcode\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\tmeaning\tsource"

// table parses lines whose columns are set apart by " | ", under a header.
func table(t *testing.T, lines ...string) *classify.Table {
	t.Helper()
	got, err := classify.Parse("acme", tsv(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tsv(lines ...string) string {
	return head + "\n" + strings.ReplaceAll(strings.Join(lines, "\n"), " | ", "\t") + "\n"
}

func TestParseReadsEveryColumn(t *testing.T) {
	t.Parallel()
	text := "# Acme's codes: https://acme.example/codes (read 2026-01-02)\r\n\r\n" + strings.ReplaceAll(tsv(
		"response | 0 | success | none | batch | - | - | - | - | accepted | https://acme.example/codes",
		"# a comment, and a blank line",
		"",
		"token | 7 | token-invalid | drop-token | token | - | replace | - | - | the token has a successor | https://acme.example/codes",
		"http | 503 | retryable | slow-down | app | 3 | - | - | - | busy | https://acme.example/codes",
		"response | 9 | retryable | wait-quota | app | - | - | marketing | 07:00 | used up | https://acme.example/codes",
	), "\n", "\r\n")
	got, err := classify.Parse("acme", text)
	if err != nil {
		t.Fatal(err)
	}
	const source = "https://acme.example/codes"
	for _, want := range []classify.Row{
		{Vendor: "acme", Level: classify.Response, Code: "0", Class: classify.Success, Remedy: classify.None, Scope: classify.ScopeBatch, Meaning: "accepted", Source: source},
		{Vendor: "acme", Level: classify.Token, Code: "7", Class: classify.TokenInvalid, Remedy: classify.DropToken, Scope: classify.ScopeToken, Action: classify.Replace, Meaning: "the token has a successor", Source: source},
		{Vendor: "acme", Level: classify.HTTP, Code: "503", Class: classify.Retryable, Remedy: classify.SlowDown, Scope: classify.ScopeApp, Tries: 3, Meaning: "busy", Source: source},
		{Vendor: "acme", Level: classify.Response, Code: "9", Class: classify.Retryable, Remedy: classify.WaitQuota, Scope: classify.ScopeApp, Bucket: "marketing", Window: "07:00", Meaning: "used up", Source: source},
	} {
		if row, known := got.Lookup(want.Level, want.Code); !known || row != want {
			t.Errorf("got %+v, %v, want %+v", row, known, want)
		}
	}
}

func TestParseNamesTheLineOfAFault(t *testing.T) {
	t.Parallel()
	const good = "response | 0 | success | none | batch | - | - | - | - | accepted | https://acme.example"
	for _, c := range []struct{ name, text, want string }{
		{"nothing at all", "", "the table has no header"},
		{"only comments", "# codes\n\n", "the table has no header"},
		{"rows without a header", strings.Replace(tsv(good), head+"\n", "", 1), "line 1: the header is"},
		{"a header after a comment with a column too few", "# codes\nlevel\tcode\n", "line 2: the header is"},
		{"a column too few", tsv(good, "response | 1 | success | none | batch | - | - | - | - | accepted"), "line 3: has 10 columns, want 11"},
		{"a column too many", tsv(good + " | x"), "line 2: has 12 columns, want 11"},
		{"an empty column", tsv("response | 1 | success | none | batch |  | - | - | - | accepted | x"), "line 2: column tries is empty, or begins or ends with a blank"},
		{"blanks around a column", tsv("response | 1  | success | none | batch | - | - | - | - | accepted | x"), "line 2: column code is empty, or begins or ends with a blank"},
		{"an unknown level", tsv("answer | 1 | success | none | batch | - | - | - | - | accepted | x"), `line 2: level is "answer", want one of transport, http, auth, response, token, receipt, callback`},
		{"an unknown class", tsv("response | 1 | ok | none | batch | - | - | - | - | accepted | x"), `line 2: class is "ok"`},
		{"an unknown remedy", tsv("response | 1 | success | retry | batch | - | - | - | - | accepted | x"), `line 2: remedy is "retry"`},
		{"an unknown scope", tsv("response | 1 | success | none | world | - | - | - | - | accepted | x"), `line 2: scope is "world"`},
		{"an unknown action", tsv("token | 1 | token-invalid | drop-token | token | - | forget | - | - | gone | x"), `line 2: action is "forget"`},
		{"no requests at all", tsv("response | 1 | retryable | backoff | batch | 0 | - | - | - | busy | x"), `line 2: tries is "0", want a number over 0 or -`},
		{"less than none", tsv("response | 1 | retryable | backoff | batch | -1 | - | - | - | busy | x"), `line 2: tries is "-1"`},
		{"tries that are no number", tsv("response | 1 | retryable | backoff | batch | two | - | - | - | busy | x"), `line 2: tries is "two"`},
		{"a class and a remedy that contradict each other", tsv("response | 1 | success | drop-token | token | - | - | - | - | gone | x"), "line 2: class success does not go with remedy drop-token"},
		{"a bucket without a quota", tsv("response | 1 | retryable | backoff | batch | - | - | all | - | busy | x"), "line 2: only a wait-quota row has a bucket"},
		{"a window without a quota", tsv("response | 1 | retryable | backoff | batch | - | - | - | week | busy | x"), "line 2: only a wait-quota row, or a slow-down row of scope app, has a window"},
		{"a malformed window", tsv("response | 1 | retryable | wait-quota | batch | - | - | all | month | used up | x"), `line 2: window is "month", want day, week or a time of day like 07:00`},
		{"a code that appears twice", tsv(good, "# again", good), "line 4: response/0 appears twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := classify.Parse("acme", c.text)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "acme codes") {
				t.Errorf("got %v, want acme codes … %s", err, c.want)
			}
		})
	}
}

func TestParseReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := classify.Parse("acme", tsv("a", "response | 0 | success | none | batch | - | - | - | - | accepted | x", "b | c"))
	want := "acme codes: line 2: has 1 columns, want 11; line 4: has 2 columns, want 11"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestACodeMayHaveRowsAtSeveralLevels(t *testing.T) {
	t.Parallel()
	// Meizu's 110010 is flow control at the top and a switched-off device inside value.
	got := table(t,
		"response | 110010 | retryable | slow-down | app | - | - | - | - | flow control | x",
		"token | 110010 | permanent | drop-token | token | - | suppress | - | - | switched off | x")
	if row, _ := got.Lookup(classify.Response, "110010"); row.Remedy != classify.SlowDown {
		t.Errorf("at the top it is %s, want slow-down", row.Remedy)
	}
	if row, _ := got.Lookup(classify.Token, "110010"); row.Remedy != classify.DropToken {
		t.Errorf("at a token it is %s, want drop-token", row.Remedy)
	}
}

func TestMustParsePanicsAtABadTable(t *testing.T) {
	t.Parallel()
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "acme codes") {
			t.Errorf("it panicked with %v, want the error of Parse", err)
		}
	}()
	classify.MustParse("acme", "no table")
}

func FuzzParse(f *testing.F) {
	f.Add(tsv("response | 0 | success | none | batch | - | - | - | - | accepted | x"))
	f.Add(tsv("token | 7 | token-invalid | drop-token | token | - | delete | - | - | gone | x", "http | 503 | retryable | slow-down | app | 3 | - | - | - | busy | x"))
	f.Add(tsv("response | 1 | success | drop-token | token | 99999999999999999999 | - | - | - | gone | x"))
	f.Add("# nothing\r\n\r\n")
	f.Add(head)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := classify.Parse("acme", text)
		if (err == nil) == (got == nil) {
			t.Fatalf("got %v and %v", got, err)
		}
		if err != nil {
			return
		}
		for _, r := range got.Explain("") {
			if err := r.Check(); err != nil {
				t.Fatalf("%+v was let in: %v", r, err)
			}
			if row, known := got.Lookup(r.Level, r.Code); !known || row != r {
				t.Fatalf("%s looks up as %+v", r.Key(), row)
			}
		}
	})
}
