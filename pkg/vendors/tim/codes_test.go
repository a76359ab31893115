package tim

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success), "response/0", "callback/0")
	rows("only these delete an account", vendortest.Action(classify.Delete),
		"response/90012", "token/20003", "token/70107", "token/90012", "token/90048")
	rows("only these suppress an account", vendortest.Action(classify.Suppress), "callback/-201", "callback/-2")
	rows("only these renew the UserSig", vendortest.Remedy(classify.RefreshAuth), "http/401", "http/403", "response/20002", "response/70001")
	rows("only these slow the app down", vendortest.Remedy(classify.SlowDown),
		"http/429", "http/503", "response/22006", "response/60007", "response/60011", "response/60018", "response/60019", "response/70050",
		"response/90024")
	rows("only these stop the app", vendortest.Waits(classify.Config, classify.ScopeApp),
		"http/404", "http/405", "http/407", "response/60004", "response/60005", "response/60006", "response/60010", "response/60012",
		"response/60016", "response/60017", "response/60020", "response/60021", "response/70002", "response/70003", "response/70005",
		"response/70009", "response/70013", "response/70014", "response/70016", "response/70020", "response/70051", "response/70403",
		"response/72000", "response/90009", "callback/-197", "callback/-196", "callback/-195", "callback/-1")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch), "response/90045")
	rows("only these wait for a quota", vendortest.Remedy(classify.WaitQuota), "response/90047", "callback/-203")
	rows("only these halve a request", vendortest.Remedy(classify.Split),
		"http/413", "response/20003", "response/70107", "response/70206", "response/90011", "response/90018", "response/90048")
}
