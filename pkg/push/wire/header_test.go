package wire_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push/wire"
)

func lines(tb testing.TB, name string) []string {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// headers are the lines of testdata/header.golden and, without start and trace, of _v1.
func headers(version int) []wire.Header {
	all := []wire.Header{
		{
			Version: version, Job: "order-42", App: "shop", Chunk: "{order-42}:huawei:0", Tokens: 1000,
			Message: "d41d8cd98f00b204e9800998ecf8427e", Expires: 1764086400,
		},
		{Version: version, Jobs: 3, App: "shop", Chunk: "{abcdefgh2345}", Tokens: 3, Expires: 1764086400},
	}
	if version > 1 {
		all[0].Start, all[1].Start = begins, begins
		all[0].Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	}
	return all
}

func TestStoredHeadersStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for version, file := range map[int]string{1: "header_v1.golden", 2: "header.golden"} {
		for i, line := range lines(t, file) {
			want := headers(version)[i]
			if got, err := wire.DecodeHeader([]byte(line)); err != nil || got != want {
				t.Errorf("decoded %+v, %v, want %+v", got, err, want)
			}
			want.Version = 0 // Encode knows it
			if got := string(want.Encode()); version == wire.HeaderVersion && got != line {
				t.Errorf("encoded %s, want %s", got, line)
			}
		}
	}
}

func TestACutOffHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for _, line := range lines(t, "header.golden") {
		for n := range len(line) {
			if h, err := wire.DecodeHeader([]byte(line[:n])); err == nil {
				t.Errorf("%s reads as %+v", line[:n], h)
			}
		}
	}
}

func TestDecodeHeaderSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header, want string
		newer              bool
	}{
		{"the next version", `{"v":3,"app":"shop","chunk":"x"}`, "version 3", true},
		{"the next version with nothing that is known", `{"v":3}`, "version 3", true},
		{"the next version with a field of another type", `{"tokens":"many","v":3}`, "version 3", true},
		{"several chunks", `{"v":2,"app":"shop","chunk":"x","chunks":["x","y"]}`, "several chunks", true},
		{"several chunks and no first one", `{"v":2,"app":"shop","chunks":["x","y"]}`, "several chunks", true},
		{"several chunks in a form of their own", `{"v":2,"app":"shop","chunk":"x","chunks":8}`, "several chunks", true},
		{"no version", `{"app":"shop","chunk":"x"}`, "unknown version 0", false},
		{"a version below the first", `{"v":-1,"app":"shop","chunk":"x"}`, "unknown version -1", false},
		{"no app", `{"v":1,"chunk":"x"}`, "app and chunk are missing", false},
		{"no chunk", `{"v":1,"app":"shop"}`, "app and chunk are missing", false},
		{"a field of another type", `{"v":1,"app":7,"chunk":"x"}`, "decode task header: json", false},
		{"nothing", ``, "decode task header", false},
		{"something behind the end", `{"v":1,"app":"shop","chunk":"x"}{}`, "decode task header", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.DecodeHeader([]byte(c.header))
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, wire.ErrNewer) != c.newer {
				t.Errorf("got %v, want %q, newer: %v", err, c.want, c.newer)
			}
		})
	}
}

func TestAHeaderReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Header{
			Job: rapid.String().Draw(t, "job"), Jobs: rapid.Int().Draw(t, "jobs"),
			App: rapid.StringN(1, 40, -1).Draw(t, "app"), Chunk: rapid.StringN(1, 40, -1).Draw(t, "chunk"),
			Tokens: rapid.Int().Draw(t, "tokens"), Message: rapid.String().Draw(t, "message"), Expires: rapid.Int64().Draw(t, "expires"),
			Start: rapid.Int64().Draw(t, "start"), Trace: rapid.String().Draw(t, "trace"),
		}
		got, err := wire.DecodeHeader(want.Encode())
		want.Version = wire.HeaderVersion
		if err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
