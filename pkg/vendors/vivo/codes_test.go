package vivo

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// These sets are what may be lost or sent twice when a row changes by accident.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	are := vendortest.CodeSets(t, codes())
	are("success is said by these alone", vendortest.Class(classify.Success), "response/0", "receipt/0")
	are("a token is deleted for these alone", vendortest.Action(classify.Delete), "response/10302", "token/1", "receipt/2183", "receipt/20002")
	are("a token rests for these alone", vendortest.Action(classify.Suppress),
		"response/10301", "response/10311", "token/2", "token/3", "receipt/20001")
	are("the access token is fetched anew for these alone", vendortest.Remedy(classify.RefreshAuth), "http/401", "response/10000", "response/10094")
	are("the app slows down for these alone", func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Scope == classify.ScopeApp },
		"http/429", "http/503", "auth/10040", "auth/10093", "response/10040", "response/10072", "response/10093")
	are("a quota is waited for after these alone", vendortest.Remedy(classify.WaitQuota),
		"auth/10250", "response/10070", "response/10071", "response/10073", "response/10111", "response/10112", "response/10250", "response/10252",
		"response/10254", "receipt/1017", "receipt/11001", "receipt/12000")
	are("a request is halved for these alone", vendortest.Remedy(classify.Split), "http/413", "response/10153", "response/10154", "response/10800")
	are("the app stops for these alone, of the answers to a send", func(r classify.Row) bool {
		return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
	}, "response/10043", "response/10200", "response/10201",
		"response/10202", "response/10203", "response/10204", "response/10205", "response/10206", "response/10207")
	are("only the job waits for these", vendortest.Waits(classify.Config, classify.ScopeBatch),
		"response/10044", "response/10045", "response/10082", "response/10110")
	are("these are tried a few times only", func(r classify.Row) bool { return r.Tries > 0 && r.Level == classify.Response }, "response/10084")
	are("a status is believed as far as this", func(r classify.Row) bool { return r.Level == classify.Token && r.Class != classify.TokenInvalid },
		"token/4", "token/5")
}
