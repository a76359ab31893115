package honor

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
		"response/200", "response/80100000", "receipt/40000001", "receipt/40000002", "receipt/40000007", "receipt/40000013", "receipt/50000003")
	rows("only these delete a token", vendortest.Action(classify.Delete),
		"response/80300007", "token/expireTokens", "receipt/40000003", "receipt/40000004")
	rows("only these suppress a token", vendortest.Action(classify.Suppress), "receipt/40000005", "receipt/40000006", "receipt/40000014")
	rows("only these renew the access token", vendortest.Remedy(classify.RefreshAuth),
		"http/401", "http/403", "response/401", "response/403", "response/10207", "response/80200001", "response/80200003")
	rows("only these slow the app down", vendortest.Remedy(classify.SlowDown), "http/429", "http/503", "response/503", "response/80200021")
	rows("only these stop the app", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/404", "http/405", "http/407", "auth/invalid_client", "auth/invalid_grant", "auth/invalid_request", "auth/invalid_scope",
		"auth/unauthorized_client", "auth/unsupported_grant_type", "response/404", "response/10001", "response/10205")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/80200020", "response/80200022")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota), "response/80200047", "receipt/40000009")
	rows("only these halve a request", vendortest.Remedy(classify.Split), "http/413", "response/80300006", "response/80300010")
}
