// Package buildinfo describes the build of this program: its version, its commit
// and the Go version that compiled it. It knows nothing else of the program.
package buildinfo

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// The linker sets both (-ldflags "-X …/internal/buildinfo.version=1.2.0"): see
// the Makefile and deploy/docker/Dockerfile.
var version, revision string

// Info describes a build.
type Info struct {
	Version  string `json:"version"`   // a release's version, or "dev"
	Revision string `json:"revision"`  // the commit, or "unknown"
	Go       string `json:"goversion"` // like "go1.26.8"
}

// Read returns the values that the linker set, and for the others those that the
// go command recorded.
func Read() Info {
	built, _ := debug.ReadBuildInfo()
	return complete(Info{Version: version, Revision: revision, Go: runtime.Version()}, built)
}

func complete(i Info, built *debug.BuildInfo) Info {
	if i.Version == "" && built != nil && built.Main.Version != "(devel)" {
		i.Version = built.Main.Version
	}
	if i.Version == "" {
		i.Version = "dev"
	}
	if i.Revision == "" && built != nil {
		i.Revision = commit(built.Settings)
	}
	if i.Revision == "" {
		i.Revision = "unknown"
	}
	return i
}

// commit returns the commit that was checked out, with "-dirty" if files differed from it.
func commit(settings []debug.BuildSetting) string {
	name, dirty := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			name = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if name == "" {
		return ""
	}
	return name + dirty
}

// Print writes the build of a program as one line of text, or as a JSON object.
func (i Info) Print(w io.Writer, program string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(i)
	}
	_, err := fmt.Fprintf(w, "%s %s (commit %s, %s)\n", program, i.Version, i.Revision, i.Go)
	return err
}
