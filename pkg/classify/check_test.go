package classify_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
)

func classes() []classify.Class {
	return []classify.Class{classify.Success, classify.Retryable, classify.Permanent, classify.TokenInvalid}
}

func remedies() []classify.Remedy {
	return []classify.Remedy{
		classify.None, classify.Backoff, classify.RefreshAuth, classify.SlowDown, classify.WaitQuota,
		classify.Split, classify.DropBatch, classify.DropToken, classify.Config,
	}
}

func row(c classify.Class, m classify.Remedy, a classify.Action) classify.Row {
	return classify.Row{
		Vendor: "acme", Level: classify.Token, Code: "1", Class: c, Remedy: m, Scope: classify.ScopeToken, Action: a, Meaning: "x", Source: "x",
	}
}

func TestCheckLetsOnlyClassesAndRemediesTogetherThatAgree(t *testing.T) {
	t.Parallel()
	agree := []string{
		"success none",
		"retryable backoff", "retryable refresh-auth", "retryable slow-down", "retryable wait-quota",
		"permanent none", "permanent wait-quota", "permanent split", "permanent drop-batch", "permanent drop-token", "permanent config",
		"token-invalid drop-token",
	}
	for _, c := range classes() {
		for _, m := range remedies() {
			action := classify.NoAction
			if c == classify.TokenInvalid {
				action = classify.Delete
			}
			err := row(c, m, action).Check()
			if want := slices.Contains(agree, string(c)+" "+string(m)); (err == nil) != want {
				t.Errorf("%s with %s: got %v, want it right: %v", c, m, err, want)
			}
		}
	}
}

func TestOnlyATokenInvalidRowMayHaveATokenDeleted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		row  classify.Row
		want string
	}{
		{"an invalid token without an action", row(classify.TokenInvalid, classify.DropToken, classify.NoAction), "needs an action: delete, suppress or replace"},
		{"an invalid token to be deleted", row(classify.TokenInvalid, classify.DropToken, classify.Delete), ""},
		{"a token that is switched off", row(classify.TokenInvalid, classify.DropToken, classify.Suppress), ""},
		{"a token with a successor", row(classify.TokenInvalid, classify.DropToken, classify.Replace), ""},
		{"a token that a permanent fault would delete", row(classify.Permanent, classify.DropToken, classify.Delete), "only a token-invalid row may have the action delete"},
		{"a token that a success would delete", row(classify.Success, classify.None, classify.Delete), "only a token-invalid row may have the action delete"},
		{"a token that a retry would delete", row(classify.Retryable, classify.Backoff, classify.Delete), "only a token-invalid row may have the action delete"},
		{"a token that a permanent fault suppresses", row(classify.Permanent, classify.DropToken, classify.Suppress), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.row.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTriesGoOnlyWithARemedyThatSendsATokenAgain(t *testing.T) {
	t.Parallel()
	repeat := []string{"backoff", "refresh-auth", "slow-down", "wait-quota", "config"}
	class := map[classify.Remedy]classify.Class{
		classify.None: classify.Success, classify.Split: classify.Permanent, classify.DropBatch: classify.Permanent,
		classify.DropToken: classify.Permanent, classify.Config: classify.Permanent,
	}
	for _, m := range remedies() {
		r := row(cmp.Or(class[m], classify.Retryable), m, classify.NoAction)
		r.Tries = 2
		err := r.Check()
		if want := slices.Contains(repeat, string(m)); (err == nil) != want || m.Repeats() != want {
			t.Errorf("%s with tries: got %v, repeats %v, want it right: %v", m, err, m.Repeats(), want)
		}
		if err != nil && !strings.Contains(err.Error(), "tries is 2, but remedy "+string(m)+" does not send a token again") {
			t.Errorf("%s: the fault does not name the field and what is wrong: %v", m, err)
		}
	}
}

func TestAWindowGoesWithQuotasAndTheFlowControlOfAnApp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remedy         classify.Remedy
		scope          classify.Scope
		window, bucket bool
	}{
		{classify.WaitQuota, classify.ScopeToken, true, true},
		{classify.SlowDown, classify.ScopeApp, true, false},
		{classify.SlowDown, classify.ScopeBatch, false, false},
		{classify.Backoff, classify.ScopeApp, false, false},
	} {
		r := row(classify.Retryable, c.remedy, classify.NoAction)
		r.Scope, r.Window = c.scope, classify.Day
		if err := r.Check(); (err == nil) != c.window {
			t.Errorf("%s of scope %s with a window: got %v, want it right: %v", c.remedy, c.scope, err, c.window)
		}
		r.Window, r.Bucket = "", "test"
		if err := r.Check(); (err == nil) != c.bucket {
			t.Errorf("%s with a bucket: got %v, want it right: %v", c.remedy, err, c.bucket)
		}
	}
}

func TestOverrideReplacesAndJoinsRowsOfACopy(t *testing.T) {
	t.Parallel()
	own := table(t, "response | 1 | permanent | drop-batch | batch | - | - | - | - | bad | x")
	changed := row(classify.Retryable, classify.Backoff, "")
	changed.Vendor, changed.Level = "somebody else", classify.Response
	joined := row(classify.TokenInvalid, classify.DropToken, classify.Delete)
	got, err := own.Override(changed, joined)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := got.Lookup(classify.Response, "1"); r.Class != classify.Retryable || r.Vendor != "acme" {
		t.Errorf("the replaced row is %+v, want retryable and acme's", r)
	}
	if r, known := got.Lookup(classify.Token, "1"); !known || r.Class != classify.TokenInvalid {
		t.Errorf("the new row is %+v, want token-invalid", r)
	}
	if r, _ := own.Lookup(classify.Response, "1"); r.Class != classify.Permanent {
		t.Errorf("the table itself changed to %+v", r)
	}
	if r, known := got.Lookup(classify.HTTP, "503"); !known || r.Remedy != classify.SlowDown {
		t.Errorf("a default became %+v", r)
	}
}

func TestOverrideRefusesARowThatContradictsItself(t *testing.T) {
	t.Parallel()
	got, err := table(t).Override(row(classify.Success, classify.None, ""), row(classify.Success, classify.Backoff, ""))
	if want := "acme/token/1: class success does not go with remedy backoff"; err == nil || got != nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
