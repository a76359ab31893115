package huawei

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success),
		"response/80000000", "response/80100000", "receipt/0", "receipt/27", "receipt/51")
	rows("only these delete a token", func(r classify.Row) bool { return r.Action == classify.Delete || r.Class == classify.TokenInvalid },
		"response/80300007", "token/80100000", "token/tokenFormatError", "token/tokenPlatformNotSupport", "receipt/2", "receipt/5")
	rows("only these suppress a token", vendortest.Action(classify.Suppress),
		"token/countryNotSupport", "token/noRight", "receipt/6", "receipt/10", "receipt/22", "receipt/201", "receipt/264")
	rows("only these renew the access token", vendortest.Remedy(classify.RefreshAuth),
		"http/401", "response/80200001", "response/80200003", "response/80200005")
	rows("only these slow the app down", vendortest.Remedy(classify.SlowDown), "http/429", "http/503", "auth/1302", "response/80100017")
	rows("only these stop the app", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/403", "http/404", "http/405", "http/407", "auth/1101", "auth/1102", "auth/1203", "auth/1400", "auth/1203/31204", "response/80300002",
		"response/80300036", "response/80300037")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/80300011", "response/80300013", "response/80300028")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota), "response/80300029", "receipt/102", "receipt/256")
	rows("only these halve a request", vendortest.Remedy(classify.Split),
		"http/413", "response/80100002", "response/80300010", "response/80300017", "response/80300030")
}
