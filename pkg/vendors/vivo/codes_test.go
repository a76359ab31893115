package vivo

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
)

// These sets are what may be lost or sent twice when a row changes by accident.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		is   func(r classify.Row) bool
		want []string
	}{
		{
			"success is said by these alone",
			func(r classify.Row) bool { return r.Class == classify.Success },
			[]string{"response/0", "receipt/0"},
		},
		{
			"a token is deleted for these alone",
			func(r classify.Row) bool { return r.Action == classify.Delete },
			[]string{"response/10302", "token/1", "receipt/2183", "receipt/20002"},
		},
		{
			"a token rests for these alone",
			func(r classify.Row) bool { return r.Action == classify.Suppress },
			[]string{"response/10301", "response/10311", "token/2", "token/3", "receipt/20001"},
		},
		{
			"the access token is fetched anew for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.RefreshAuth },
			[]string{"http/401", "response/10000"},
		},
		{
			"the app slows down for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Scope == classify.ScopeApp },
			[]string{"http/429", "http/503", "auth/10040", "auth/10093", "response/10040", "response/10072", "response/10093"},
		},
		{
			"a quota is waited for after these alone",
			func(r classify.Row) bool { return r.Remedy == classify.WaitQuota },
			[]string{
				"auth/10250", "response/10070", "response/10071", "response/10073", "response/10111", "response/10112", "response/10250",
				"response/10252", "response/10254", "receipt/1017", "receipt/11001", "receipt/12000",
			},
		},
		{
			"a request is halved for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Split },
			[]string{"http/413", "response/10153", "response/10154", "response/10800"},
		},
		{
			"the app stops for these alone, of the answers to a send",
			func(r classify.Row) bool {
				return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
			},
			[]string{
				"response/10043", "response/10044", "response/10045", "response/10082", "response/10094", "response/10110", "response/10200", "response/10201",
				"response/10202", "response/10203", "response/10204", "response/10205", "response/10206", "response/10207",
			},
		},
		{
			"a status is believed as far as this",
			func(r classify.Row) bool { return r.Level == classify.Token && r.Class != classify.TokenInvalid },
			[]string{"token/4", "token/5"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range codes().Explain("") {
				if tt.is(r) {
					got = append(got, string(r.Level)+"/"+r.Code)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
