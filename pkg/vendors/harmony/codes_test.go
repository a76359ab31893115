package harmony

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
			[]string{"response/80000000", "response/80100000", "receipt/0", "receipt/27", "receipt/51"},
		},
		{
			"a token is deleted for these alone",
			func(r classify.Row) bool { return r.Action == classify.Delete || r.Class == classify.TokenInvalid },
			[]string{"response/80300007", "token/80100000", "token/tokenFormatError", "token/tokenPlatformNotSupport", "receipt/2", "receipt/5"},
		},
		{
			"a token rests for these alone",
			func(r classify.Row) bool { return r.Action == classify.Suppress },
			[]string{"token/countryNotSupport", "token/noRight", "receipt/6", "receipt/10", "receipt/22", "receipt/201", "receipt/264"},
		},
		{
			"the access token is signed anew for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.RefreshAuth },
			[]string{"http/401", "response/80200001", "response/80200003", "response/80200005"},
		},
		{
			"the app slows down for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.SlowDown },
			[]string{"http/429", "http/503"},
		},
		{
			"the app stops for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Config },
			[]string{
				"http/403", "http/404", "http/405", "http/407", "auth/unsigned",
				"response/80300002", "response/80300011", "response/80300013", "response/80300028", "response/80300036", "response/80300037",
				"token/disableSendHuaweiMsgBecauseOfPenalty", "token/noPushTypeRight", "token/noRightToSendThisLiveNotificationEvent",
			},
		},
		{
			"a quota is waited for after these alone",
			func(r classify.Row) bool { return r.Remedy == classify.WaitQuota },
			[]string{"response/80300029", "receipt/102", "receipt/256"},
		},
		{
			"a request is halved for these alone",
			func(r classify.Row) bool { return r.Remedy == classify.Split },
			[]string{"http/413", "response/80300010", "response/80300017", "response/80300030"},
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
