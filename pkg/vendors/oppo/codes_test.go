package oppo

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success), "response/0", "receipt/push_arrive")
	rows("only these delete a token", vendortest.Action(classify.Delete), "response/10000", "token/10000", "receipt/regid_invalid")
	rows("only these suppress a token", vendortest.Action(classify.Suppress), "response/10001", "token/10001", "token/10002", "token/10003")
	rows("only these renew the access token", vendortest.Remedy(classify.RefreshAuth), "http/401", "response/11", "response/29")
	rows("only these slow the app down", vendortest.Remedy(classify.SlowDown),
		"http/429", "http/503", "auth/-2", "auth/13", "auth/55", "response/-2", "response/13", "response/55", "response/69", "token/-2", "token/13",
		"token/55", "token/69")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota),
		"response/33", "response/34", "response/42", "token/33", "receipt/user_daily_limit")
	rows("only these halve a request", vendortest.Remedy(classify.Split), "http/413", "response/41")
	rows("only these answers to a send stop the app", func(r classify.Row) bool {
		return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
	}, "response/12", "response/14", "response/15", "response/16", "response/17", "response/18", "response/19", "response/20", "response/21",
		"response/22", "response/23", "response/24", "response/26", "response/28", "response/30")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/27", "response/54")
	rows("only these slow-downs may mean the quota of the day", func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Window != "" },
		"auth/13", "response/13", "token/13")
}
