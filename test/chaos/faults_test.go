package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// vendorNames are all vendors.
var vendorNames = strings.Split(registry.Names(), ", ")

// Business codes by vendor, from the adapters' tables.
var (
	busyCodes = codesWith(func(r classify.Row) bool { return r.Remedy == classify.Backoff && (r.Tries == 0 || r.Tries >= 3) })
	flowCodes = codesWith(func(r classify.Row) bool {
		return r.Remedy == classify.SlowDown && r.Scope == classify.ScopeApp && r.Window == ""
	})
	quotaCodes = codesWith(func(r classify.Row) bool { return r.Remedy == classify.WaitQuota && r.Window == classify.Day })
)

// codesWith returns the response codes that a vendor's answer to a send may have.
func codesWith(in func(classify.Row) bool) map[string][]string {
	all := map[string][]string{}
	for _, spec := range registry.All() {
		for _, r := range spec.Codes.Explain("") {
			if r.Level == classify.Response && !strings.Contains(r.Code, "/") && in(r) {
				all[spec.Name] = append(all[spec.Name], r.Code)
			}
		}
	}
	return all
}

// lost begins the names of faults after which the client cannot know that the
// vendor took its request.
const lost = "lost: "

// faultKinds are the possible faults. Some have two forms: the vendor accepted the
// request before the fault, which is the lost form, or it did not.
var faultKinds = []struct {
	name string
	simulator.Fault
	both  bool                // also as a lost one
	codes map[string][]string // by vendor
}{
	{name: "slow", Fault: simulator.Fault{Delay: simulator.Duration(400 * time.Millisecond), Probability: 0.3}},
	{name: "reset", Fault: simulator.Fault{Reset: true, Probability: 0.15}, both: true},
	{name: "half body", Fault: simulator.Fault{HalfBody: true, Probability: 0.15}, both: true},
	{name: "no answer", Fault: simulator.Fault{Hang: true, Probability: 0.1, Times: 4}, both: true},
	{name: "garbage", Fault: simulator.Fault{Status: 200, Body: "<html>busy\x00", Probability: 0.1}, both: true},
	{name: "wrong JSON", Fault: simulator.Fault{Status: 200, Body: `{"hello":["world"]}`, Probability: 0.1}, both: true},
	{name: "empty", Fault: simulator.Fault{Status: 200, Body: " ", Probability: 0.1}, both: true},
	{name: "500", Fault: simulator.Fault{Status: 500, Probability: 0.15}, both: true},
	{name: "502", Fault: simulator.Fault{Status: 502, Body: "bad gateway", Probability: 0.2}, both: true},
	{name: "504", Fault: simulator.Fault{Status: 504, Probability: 0.2}, both: true},
	{name: "503", Fault: simulator.Fault{Status: 503, Probability: 0.2, Times: 2, Headers: map[string]string{"Retry-After": "1"}}},
	{name: "429", Fault: simulator.Fault{Status: 429, Probability: 0.2, Times: 2}},
	{name: "401", Fault: simulator.Fault{Status: 401, Probability: 0.1, Times: 2}},
	{name: "403", Fault: simulator.Fault{Status: 403, Probability: 0.1, Times: 1}},
	{name: "413", Fault: simulator.Fault{Status: 413, Probability: 0.1, Times: 2}},
	{name: "busy", Fault: simulator.Fault{Probability: 0.2}, codes: busyCodes},
	{name: "flow control", Fault: simulator.Fault{Probability: 0.2, Times: 2}, codes: flowCodes},
	{name: "quota", Fault: simulator.Fault{Probability: 0.2, Times: 1}, codes: quotaCodes},
}

// randomFaults returns three to eight random rules.
func randomFaults(rnd *rand.Rand) []simulator.Fault {
	var all []simulator.Fault
	for n := 3 + rnd.IntN(6); len(all) < n; {
		tr := faultKinds[rnd.IntN(len(faultKinds))]
		f := tr.Fault
		if tr.codes != nil || rnd.IntN(3) > 0 {
			f.Vendor = vendorNames[rnd.IntN(len(vendorNames))]
		}
		if tr.codes != nil {
			codes := tr.codes[f.Vendor]
			if len(codes) == 0 {
				continue
			}
			f.Code = codes[rnd.IntN(len(codes))]
		}
		f.Name = tr.name
		if tr.both && rnd.IntN(2) == 0 {
			f.Name, f.Accept = lost+tr.name, true
		}
		if f.Vendor != "" {
			f.Name += " of " + f.Vendor
		}
		f.Name = fmt.Sprintf("%s #%d", f.Name, len(all)+1)
		all = append(all, f)
	}
	return all
}

// faultKind returns a rule's name without vendor and number.
func faultKind(rule string) string {
	rule, _, _ = strings.Cut(rule, " #")
	rule, _, _ = strings.Cut(rule, " of ")
	return rule
}

func TestTheSimulatorAcceptsEveryFault(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Options{})
	rnd, seen := rand.New(rand.NewPCG(1, 1)), map[string]bool{}
	for range 300 {
		faults := randomFaults(rnd)
		if err := sim.SetFaults(faults); err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			seen[faultKind(f.Name)] = true
		}
	}
	for _, tr := range faultKinds {
		if !seen[tr.name] || tr.both && !seen[lost+tr.name] {
			t.Errorf("%s never occurs", tr.name)
		}
	}
}
