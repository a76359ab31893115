package simulator

import (
	"slices"

	"github.com/postrider/postrider/internal/simulator/harmony"
	"github.com/postrider/postrider/internal/simulator/honor"
	"github.com/postrider/postrider/internal/simulator/huawei"
	"github.com/postrider/postrider/internal/simulator/meizu"
	"github.com/postrider/postrider/internal/simulator/oppo"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/tim"
	"github.com/postrider/postrider/internal/simulator/vivo"
	"github.com/postrider/postrider/internal/simulator/xiaomi"
)

// players is the list of vendors. Their paths share one http.ServeMux, which
// panics at once when two of them collide.
var players = []func() play.Vendor{
	standard(huawei.New),
	standard(harmony.New),
	standard(honor.New),
	standard(oppo.New),
	standard(vivo.New),
	standard(xiaomi.New),
	standard(meizu.New),
	standard(tim.New),
}

// standard builds a vendor as its documents describe it: with zero options.
func standard[Options any](build func(Options) play.Vendor) func() play.Vendor {
	return func() play.Vendor {
		var zero Options
		return build(zero)
	}
}

// Simulator is a server of all vendors that can be controlled over HTTP, below
// /_simulator/. It is safe for concurrent use.
type Simulator struct{ *play.Server }

// New returns a simulator of all vendors, each as its documents describe it. A
// vendor in others replaces the one of the same name, or is added to them; it
// must not be used in two simulators.
func New(o Options, others ...play.Vendor) *Simulator {
	given := map[string]bool{}
	for _, v := range others {
		given[v.Name] = true
	}
	all := slices.Clone(others)
	for _, build := range players {
		if v := build(); !given[v.Name] {
			all = append(all, v)
		}
	}
	s := &Simulator{play.NewServer(o, all...)}
	s.admin()
	return s
}

// What users of a simulator need from package play.
type (
	Options      = play.Options
	Credential   = play.Credential
	Fault        = play.Fault
	FaultError   = play.FaultError
	Duration     = play.Duration
	Receipts     = play.Receipts
	Seen         = play.Seen
	Report       = play.Report
	VendorReport = play.VendorReport
)

// DemoCredential is the app of every vendor without Options.Credentials.
func DemoCredential() Credential { return play.DemoCredential() }

// ParseFaults reads rules from a JSON array of rules, or a single rule.
func ParseFaults(text []byte) ([]Fault, error) { return play.ParseFaults(text) }
