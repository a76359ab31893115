package vivo

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success), "response/0", "receipt/0")
	rows("only these delete a token", vendortest.Action(classify.Delete), "response/10302", "token/1", "receipt/2183", "receipt/20002")
	rows("only these suppress a token", vendortest.Action(classify.Suppress),
		"response/10301", "response/10311", "token/2", "token/3", "receipt/20001")
	rows("only these renew the access token", vendortest.Remedy(classify.RefreshAuth), "http/401", "response/10000", "response/10094")
	rows("only these slow the app down", func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Scope == classify.ScopeApp },
		"http/429", "http/503", "auth/10040", "auth/10093", "response/10040", "response/10072", "response/10093")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota),
		"auth/10250", "response/10070", "response/10071", "response/10073", "response/10111", "response/10112", "response/10250", "response/10252",
		"response/10254", "receipt/1017", "receipt/11001", "receipt/12000")
	rows("only these halve a request", vendortest.Remedy(classify.Split), "http/413", "response/10153", "response/10154", "response/10800")
	rows("only these answers to a send stop the app", func(r classify.Row) bool {
		return r.Remedy == classify.Config && r.Scope == classify.ScopeApp && r.Level == classify.Response
	}, "response/10043", "response/10200", "response/10201",
		"response/10202", "response/10203", "response/10204", "response/10205", "response/10206", "response/10207")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch),
		"response/10044", "response/10045", "response/10082", "response/10110")
	rows("only these limit the tries", func(r classify.Row) bool { return r.Tries > 0 && r.Level == classify.Response }, "response/10084")
	rows("only these statuses keep the token", func(r classify.Row) bool { return r.Level == classify.Token && r.Class != classify.TokenInvalid },
		"token/4", "token/5")
}
