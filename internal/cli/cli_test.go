package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
)

// token looks like a push token; no error may contain it.
const token = "IQAAAACy0ZxVAADqRGJ2cGZ6ZmVkZmQ="

func root(out *bytes.Buffer) *cobra.Command {
	nothing := func(*cobra.Command, []string) error { return nil }
	c := &cobra.Command{Use: "program", Args: cli.NoArgs, RunE: nothing, SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true}
	status := &cobra.Command{Use: "status JOB", Short: "Show a job", Args: cli.Args(1, 1), RunE: nothing}
	status.Flags().Int("limit", 1, "at most this many")
	status.Flags().Float64("rate", 1, "per second")
	c.AddCommand(status, &cobra.Command{Use: "lanes", Args: cli.NoArgs, RunE: nothing})
	c.SetOut(out)
	c.SetErr(out)
	cli.Prepare(c, out)
	return c
}

func TestErrorsSayHowToCorrectTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, args, want string }{
		{"a misspelt command", "lane", `unknown command "lane" for "program": did you mean lanes?`},
		{"an unknown command", "destroy", `unknown command "destroy" for "program"`},
		{"help of a misspelt command", "help lane", `unknown command "lane" for "program": did you mean lanes?`},
		{"a token in place of a command", token, `unknown command "IQAA…Q= (32 characters)" for "program"`},
		{"an argument that is not taken", "lanes x", `unexpected argument "x": program lanes takes no arguments`},
		{"a missing argument", "status", "an argument is missing: want program status JOB"},
		{"too many arguments", "status a b", "2 arguments are too many: want program status JOB"},
		{"an unknown flag", "status a --nothing", "unknown flag: --nothing"},
		{"a token in place of a flag", "status --" + token, "unknown flag: --IQAA…mQ (31 characters)"},
		{"a word for a whole number", "status a --limit many", `--limit: "many" is not a whole number`},
		{"a word for a number", "status a --rate fast", `--rate: "fast" is not a number`},
		{"a token for a number", "status a --limit " + token, `--limit: "IQAA…Q= (32 characters)" is not a whole number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := root(&out)
			cmd.SetArgs(strings.Fields(c.args))
			if err := cmd.Execute(); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if out.Len() > 0 {
				t.Errorf("it printed %s, want only an error", &out)
			}
		})
	}
}

func TestHelpOfACommandIsPrinted(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"help status", "status --help"} {
		var out bytes.Buffer
		cmd := root(&out)
		cmd.SetArgs(strings.Fields(args))
		if err := cmd.Execute(); err != nil || !strings.Contains(out.String(), "program status JOB") {
			t.Errorf("%s: got %s, %v", args, &out, err)
		}
	}
}
