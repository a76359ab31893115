package harmony

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
		"response/80000000", "response/80100000", "receipt/0", "receipt/27", "receipt/51")
	are("a token is deleted for these alone", func(r classify.Row) bool { return r.Action == classify.Delete || r.Class == classify.TokenInvalid },
		"response/80300007", "token/80100000", "token/tokenFormatError", "token/tokenPlatformNotSupport", "receipt/2", "receipt/5")
	are("a token rests for these alone", vendortest.Action(classify.Suppress),
		"token/countryNotSupport", "token/noRight", "receipt/6", "receipt/10", "receipt/22", "receipt/201", "receipt/264")
	are("the access token is signed anew for these alone", vendortest.Remedy(classify.RefreshAuth),
		"http/401", "response/80200001", "response/80200003", "response/80200005")
	are("the app slows down for these alone", vendortest.Remedy(classify.SlowDown), "http/429", "http/503")
	are("the app stops for these alone", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/403", "http/404", "http/405", "http/407", "auth/unsigned", "response/80300002", "response/80300036", "response/80300037",
		"token/disableSendHuaweiMsgBecauseOfPenalty")
	are("only the job waits for these", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/80300011", "response/80300013", "response/80300028", "token/noPushTypeRight", "token/noRightToSendThisLiveNotificationEvent")
	are("a quota is waited for after these alone", vendortest.Remedy(classify.WaitQuota), "response/80300029", "receipt/102", "receipt/256")
	are("a request is halved for these alone", vendortest.Remedy(classify.Split),
		"http/413", "response/80300010", "response/80300017", "response/80300030")
}
