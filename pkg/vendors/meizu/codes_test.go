package meizu

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success), "response/200", "receipt/1", "receipt/2")
	rows("only these delete a token", vendortest.Action(classify.Delete), "token/110002", "token/110003")
	rows("only these suppress a token", vendortest.Action(classify.Suppress), "token/110005", "token/110010")
	rows("no row renews an access token, since there is none", vendortest.Remedy(classify.RefreshAuth))
	rows("only these slow the app or a message down", vendortest.Remedy(classify.SlowDown),
		"http/429", "http/503", "response/110010", "token/518", "token/519", "token/520")
	rows("only these stop the app", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/401", "http/403", "http/404", "http/405", "http/407", "response/1006", "response/110000", "response/110001", "response/110009",
		"response/110031", "response/110033")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/110053")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota), "response/110019", "response/110051", "token/110011")
	rows("only these halve a request", vendortest.Remedy(classify.Split), "http/413", "response/110002", "response/110003")
}
