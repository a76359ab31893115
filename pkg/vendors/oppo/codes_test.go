package oppo

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
			[]string{"response/0", "receipt/push_arrive"},
		},
		{
			"a token is deleted for these alone",
			func(r classify.Row) bool { return r.Action == classify.Delete },
			[]string{"response/10000", "token/10000", "receipt/regid_invalid"},
		},
		{
			"a token rests for these alone",
			func(r classify.Row) bool { return r.Action == classify.Suppress },
			[]string{"response/10001", "token/10001", "token/10002", "token/10003"},
		},
		{
			"the access token is fetched anew for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.RefreshAuth },
			[]string{"http/401", "response/11", "response/29"},
		},
		{
			"the app slows down for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.SlowDown },
			[]string{"http/429", "http/503", "auth/-2", "auth/13", "auth/55", "response/-2", "response/13", "response/55", "response/69", "token/-2", "token/13", "token/55", "token/69"},
		},
		{
			"a quota is waited for after these alone",
			func(r classify.Row) bool { return r.Remedy == classify.WaitQuota },
			[]string{"response/33", "response/34", "response/42", "token/33", "receipt/user_daily_limit"},
		},
		{
			"a request is halved for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Split },
			[]string{"http/413", "response/41"},
		},
		{
			"the app stops for these alone, of the answers to a send",
			func(r classify.Row) bool {
				return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
			},
			[]string{
				"response/12", "response/14", "response/15", "response/16", "response/17", "response/18", "response/19", "response/20",
				"response/21", "response/22", "response/23", "response/24", "response/26", "response/27", "response/28", "response/30",
			},
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
