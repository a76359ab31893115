package buildinfo

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTheLinkersValuesOverrideTheGoCommands(t *testing.T) {
	t.Parallel()
	vcs := func(version string, dirty string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: dirty}},
		}
	}
	for _, c := range []struct {
		name  string
		link  Info
		built *debug.BuildInfo
		want  Info
	}{
		{"the linker set both", Info{Version: "1.2.0", Revision: "def"}, vcs("v9", "true"), Info{Version: "1.2.0", Revision: "def"}},
		{"the linker set nothing", Info{}, vcs("v1.3.0", "false"), Info{Version: "v1.3.0", Revision: "abc"}},
		{"files differed", Info{}, vcs("v1.3.0", "true"), Info{Version: "v1.3.0", Revision: "abc-dirty"}},
		{"a build of a working copy", Info{}, vcs("(devel)", "false"), Info{Version: "dev", Revision: "abc"}},
		{"nothing is recorded", Info{}, &debug.BuildInfo{}, Info{Version: "dev", Revision: "unknown"}},
		{"no build information", Info{}, nil, Info{Version: "dev", Revision: "unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := complete(c.link, c.built); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestItPrintsALineOrAnObject(t *testing.T) {
	t.Parallel()
	i := Info{Version: "1.2.0", Revision: "abc", Go: runtime.Version()}
	for _, c := range []struct {
		json bool
		want string
	}{
		{false, "worker 1.2.0 (commit abc, " + runtime.Version() + ")\n"},
		{true, `{"version":"1.2.0","revision":"abc","goversion":"` + runtime.Version() + `"}` + "\n"},
	} {
		var b bytes.Buffer
		if err := i.Print(&b, "worker", c.json); err != nil || b.String() != c.want {
			t.Errorf("got %q, %v; want %q", &b, err, c.want)
		}
	}
}
