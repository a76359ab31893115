package honor

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
			[]string{"response/200", "response/80100000", "receipt/40000001", "receipt/40000002", "receipt/40000007", "receipt/40000013", "receipt/50000003"},
		},
		{
			"a token is deleted for these alone",
			func(r classify.Row) bool { return r.Action == classify.Delete },
			[]string{"response/80300007", "token/expireTokens", "receipt/40000003", "receipt/40000004"},
		},
		{
			"a token rests for these alone",
			func(r classify.Row) bool { return r.Action == classify.Suppress },
			[]string{"receipt/40000005", "receipt/40000006", "receipt/40000014"},
		},
		{
			"the access token is fetched anew for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.RefreshAuth },
			[]string{"http/401", "http/403", "response/401", "response/403", "response/10207", "response/80200001", "response/80200003"},
		},
		{
			"the app slows down for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.SlowDown },
			[]string{"http/429", "http/503", "response/503", "response/80200021"},
		},
		{
			"the app stops for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Config },
			[]string{"http/404", "http/405", "http/407", "auth/invalid_client", "auth/invalid_grant", "auth/invalid_request", "auth/invalid_scope", "auth/unauthorized_client", "auth/unsupported_grant_type", "response/404", "response/10001", "response/10205", "response/80200020"},
		},
		{
			"a quota is waited for after these alone",
			func(r classify.Row) bool { return r.Remedy == classify.WaitQuota },
			[]string{"receipt/40000009"},
		},
		{
			"a request is halved for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Split },
			[]string{"http/413", "response/80300006", "response/80300010"},
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
