package demo

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/vendors/registry"
)

//go:embed demo.yaml
var common string

// Settings returns the demo's configuration, as YAML: an app "demo" with every
// vendor. base is the simulator's address, listen the worker's. The lines of
// account, such as "batch: 50", are added to each vendor's block, and replace its
// own lines with the same key.
func Settings(base, listen string, account ...string) string {
	var b strings.Builder
	b.WriteString(common)
	for _, spec := range registry.All() {
		b.WriteString("    " + spec.Name + ":\n")
		for line := range strings.Lines(spec.Demo) {
			key, _, _ := strings.Cut(line, ":")
			replaced := slices.ContainsFunc(account, func(own string) bool { return strings.HasPrefix(own, key+":") })
			if line = strings.TrimRight(line, "\n"); line != "" && !strings.HasPrefix(line, "#") && !replaced {
				b.WriteString("      " + line + "\n")
			}
		}
		for _, line := range account {
			b.WriteString("      " + line + "\n")
		}
	}
	return strings.NewReplacer("%BASE%", base, "%LISTEN%", listen).Replace(b.String())
}
