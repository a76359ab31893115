package main

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestEveryCodeSaysWhatPostriderDoes(t *testing.T) {
	t.Parallel()
	for _, spec := range registry.All() {
		for _, r := range spec.Codes.Explain("") {
			got := handling(r)
			if !strings.HasSuffix(got, ".") || strings.HasPrefix(got, " ") {
				t.Errorf("%s: got %q, want sentences", r.Key(), got)
			}
			if r.Level == classify.Receipt && strings.Contains(strings.ToLower(got), "sends the") {
				t.Errorf("%s: %q, but nothing is sent again after a receipt", r.Key(), got)
			}
		}
	}
}

func TestExplainFindsCodesAsPeopleGiveThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"a negative code", []string{"oppo", "-2"}, []string{"auth ", "response ", "flow control"}},
		{"a negative code before a flag", []string{"oppo", "-2", "--json"}, []string{`"code":"-2"`}},
		{"a number beside the code of a grant's answer", []string{"huawei", "57303"}, []string{"huawei/auth/1302\n", "asks for an access token again"}},
		{"the second half of a code", []string{"huawei", "31204"}, []string{"huawei/auth/1203/31204\n", "Stops the account"}},
		{"tries", []string{"huawei", "80000001"}, []string{"  tries      3\n", "A token that gets this answer 3 times ends dead."}},
		{"a quota", []string{"vivo", "10070"}, []string{"  bucket     operational\n", "  window     day\n", "until the next midnight in Beijing"}},
		{"an invalid token", []string{"huawei", "80300007"}, []string{"  action     delete\n", "Adds the token to the feed: delete it."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d deployment
			got := d.run(t, "", append([]string{"explain"}, c.args...)...)
			for _, want := range c.want {
				if got.code != 0 || got.err != "" || !strings.Contains(got.out, want) {
					t.Errorf("exit %d, %s%s, want %q in it", got.code, got.err, got.out, want)
				}
			}
		})
	}
	var d deployment
	if got := d.run(t, "", "-2"); got.code != exitUsage || !strings.Contains(got.err, "unknown flag") {
		t.Errorf("without explain: exit %d, %s, want an unknown flag", got.code, got.err)
	}
}
