package meizu

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// These sets are what may be lost or sent twice when a row changes by accident.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	are := vendortest.CodeSets(t, codes())
	are("success is said by these alone", vendortest.Class(classify.Success), "response/200", "receipt/1", "receipt/2")
	are("a token is deleted for these alone", vendortest.Action(classify.Delete), "token/110002", "token/110003")
	are("a token rests for these alone", vendortest.Action(classify.Suppress), "token/110005", "token/110010")
	are("there is no access token to fetch anew", vendortest.Remedy(classify.RefreshAuth))
	are("somebody slows down for these alone", vendortest.Remedy(classify.SlowDown),
		"http/429", "http/503", "response/110010", "token/518", "token/519", "token/520")
	are("the app stops for these alone", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/401", "http/403", "http/404", "http/405", "http/407", "response/1006", "response/110000", "response/110001", "response/110009",
		"response/110031", "response/110033")
	are("only the job waits for these", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/110053")
	are("a quota is waited for after these alone", vendortest.Remedy(classify.WaitQuota), "response/110019", "response/110051", "token/110011")
	are("a request is halved for these alone", vendortest.Remedy(classify.Split), "http/413", "response/110002", "response/110003")
}
