package vendors_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestOnlyCodesThatAcceptOrDeleteNeedASuccessfulStatus(t *testing.T) {
	t.Parallel()
	table := classify.MustParse("nimbus", strings.Join([]string{
		"level\tcode\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\tmeaning\tsource",
		"response\tok\tsuccess\tnone\tbatch\t-\t-\t-\t-\tfine\ttest",
		"response\tgone\ttoken-invalid\tdrop-token\ttoken\t-\tdelete\t-\t-\tgone\ttest",
		"response\tauth\tretryable\trefresh-auth\tapp\t-\t-\t-\t-\told\ttest",
	}, "\n")+"\n")
	for code, want := range map[string]string{"ok": "http/403", "gone": "http/403", "auth": "response/auth", "new": "response/new"} {
		c := classify.Code{Level: classify.Response, Code: code}
		if got := vendors.ConsistentCode(table, http.StatusForbidden, c).String(); got != want {
			t.Errorf("%s under a 403 is %s, want %s", code, got, want)
		}
		for _, status := range []int{0, http.StatusOK, http.StatusNoContent} {
			if got := vendors.ConsistentCode(table, status, c); got != c {
				t.Errorf("%s under %d is %s", code, status, got)
			}
		}
	}
}
