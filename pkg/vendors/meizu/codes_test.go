package meizu

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
			[]string{"response/200", "receipt/1", "receipt/2"},
		},
		{
			"a token is deleted for these alone",
			func(r classify.Row) bool { return r.Action == classify.Delete },
			[]string{"token/110002", "token/110003"},
		},
		{
			"a token rests for these alone",
			func(r classify.Row) bool { return r.Action == classify.Suppress },
			[]string{"token/110005", "token/110010"},
		},
		{
			"there is no access token to fetch anew",
			func(r classify.Row) bool { return r.Remedy == classify.RefreshAuth },
			nil,
		},
		{
			"somebody slows down for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.SlowDown },
			[]string{"http/429", "http/503", "response/110010", "token/518", "token/519", "token/520"},
		},
		{
			"the app stops for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Config },
			[]string{
				"http/401", "http/403", "http/404", "http/405", "http/407", "response/1006", "response/110000", "response/110001",
				"response/110009", "response/110031", "response/110033", "response/110053",
			},
		},
		{
			"a quota is waited for after these alone",
			func(r classify.Row) bool { return r.Remedy == classify.WaitQuota },
			[]string{"response/110019", "response/110051", "token/110011"},
		},
		{
			"a request is halved for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Split },
			[]string{"http/413", "response/110002", "response/110003"},
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
