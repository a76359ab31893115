package oppo

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// These sets are what may be lost or sent twice when a row changes by accident.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	are := vendortest.CodeSets(t, codes())
	are("success is said by these alone", vendortest.Class(classify.Success), "response/0", "receipt/push_arrive")
	are("a token is deleted for these alone", vendortest.Action(classify.Delete), "response/10000", "token/10000", "receipt/regid_invalid")
	are("a token rests for these alone", vendortest.Action(classify.Suppress), "response/10001", "token/10001", "token/10002", "token/10003")
	are("the access token is fetched anew for these alone", vendortest.Remedy(classify.RefreshAuth), "http/401", "response/11", "response/29")
	are("the app slows down for these alone", vendortest.Remedy(classify.SlowDown),
		"http/429", "http/503", "auth/-2", "auth/13", "auth/55", "response/-2", "response/13", "response/55", "response/69", "token/-2", "token/13",
		"token/55", "token/69")
	are("a quota is waited for after these alone", vendortest.Remedy(classify.WaitQuota),
		"response/33", "response/34", "response/42", "token/33", "receipt/user_daily_limit")
	are("a request is halved for these alone", vendortest.Remedy(classify.Split), "http/413", "response/41")
	are("the app stops for these alone, of the answers to a send", func(r classify.Row) bool {
		return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
	}, "response/12", "response/14", "response/15", "response/16", "response/17", "response/18", "response/19", "response/20", "response/21",
		"response/22", "response/23", "response/24", "response/26", "response/28", "response/30")
	are("only the job waits for these", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/27", "response/54")
	are("slow-downs that may be the day's quota", func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Window != "" },
		"auth/13", "response/13", "token/13")
}
