package honor

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// These sets are what may be lost or sent twice when a row changes by accident.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	are := vendortest.CodeSets(t, codes())
	are("success is said by these alone", vendortest.Class(classify.Success),
		"response/200", "response/80100000", "receipt/40000001", "receipt/40000002", "receipt/40000007", "receipt/40000013", "receipt/50000003")
	are("a token is deleted for these alone", vendortest.Action(classify.Delete),
		"response/80300007", "token/expireTokens", "receipt/40000003", "receipt/40000004")
	are("a token rests for these alone", vendortest.Action(classify.Suppress), "receipt/40000005", "receipt/40000006", "receipt/40000014")
	are("the access token is fetched anew for these alone", vendortest.Remedy(classify.RefreshAuth),
		"http/401", "http/403", "response/401", "response/403", "response/10207", "response/80200001", "response/80200003")
	are("the app slows down for these alone", vendortest.Remedy(classify.SlowDown), "http/429", "http/503", "response/503", "response/80200021")
	are("the app stops for these alone", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/404", "http/405", "http/407", "auth/invalid_client", "auth/invalid_grant", "auth/invalid_request", "auth/invalid_scope",
		"auth/unauthorized_client", "auth/unsupported_grant_type", "response/404", "response/10001", "response/10205")
	are("only the job waits for these", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/80200020", "response/80200022")
	are("a quota is waited for after these alone", vendortest.Remedy(classify.WaitQuota), "response/80200047", "receipt/40000009")
	are("a request is halved for these alone", vendortest.Remedy(classify.Split), "http/413", "response/80300006", "response/80300010")
}
