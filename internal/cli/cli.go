// Package cli is what the command lines of the three programs have in common:
// which arguments a command takes, errors that say how to correct a wrong
// command, argument or flag, and help that fits the terminal.
//
// It knows cobra and pflag. It knows no command, prints no error and chooses no
// exit code. What a user typed may be a push token, so errors show it as
// text.Name does.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/postrider/postrider/pkg/push/text"
)

// Prepare is called with a root command that has all its subcommands. It gives
// them errors for wrong flags and help that fits the terminal if out is one.
func Prepare(root *cobra.Command, out io.Writer) {
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return FlagError(err) })
	if width := terminalWidth(out); width > 0 {
		wrapped := fmt.Sprintf(".FlagUsagesWrapped %d |", width)
		root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages |", wrapped))
	}
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = knownCommand(root)
		}
	}
}

// terminalWidth is in columns; 0 if w is not a terminal.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// knownCommand refuses arguments of help that name no command: cobra would
// print the help of the root.
func knownCommand(root *cobra.Command) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		c, rest, err := root.Find(args)
		if err != nil || len(rest) == 0 {
			return err
		}
		return unknownCommand(c, rest[0])
	}
}

// NoArgs is for a command that takes no arguments. It replaces cobra.NoArgs,
// whose error would print a push token in full.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(c, args[0])
}

func unknownCommand(c *cobra.Command, word string) error {
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("unexpected argument %q: %s takes no arguments", text.Name(word), c.CommandPath())
	}
	if near := text.Nearest(word, known); near != "" {
		return fmt.Errorf("unknown command %q for %q: did you mean %s?", text.Name(word), c.CommandPath(), near)
	}
	return fmt.Errorf("unknown command %q for %q", text.Name(word), c.CommandPath())
}

// Args is for a command that takes least to most arguments; its Use shows them.
func Args(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		usage := c.CommandPath() + strings.TrimPrefix(c.Use, c.Name())
		switch {
		case len(args) < least:
			return fmt.Errorf("an argument is missing: want %s", usage)
		case len(args) > most:
			return fmt.Errorf("%d arguments are too many: want %s", len(args), usage)
		}
		return nil
	}
}

// SeeHelp adds to a usage error which help describes the command.
func SeeHelp(c *cobra.Command, err error) error {
	if c.Name() == "help" {
		c = c.Root()
	}
	return fmt.Errorf("%w: see %s --help", err, c.CommandPath())
}

// FlagError says what is wrong with a flag and what it takes.
func FlagError(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s: %q is not %s", e.GetFlag().Name, Quotable(e.GetValue()), wanted(e.GetFlag().Value.Type()))
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag: -%s", text.Name(e.GetSpecifiedShortnames()))
		}
		return fmt.Errorf("unknown flag: --%s", text.Name(e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return fmt.Errorf("bad flag syntax: %s", text.Name(e.GetSpecifiedFlag()))
	}
	return err
}

// wanted describes the values of a flag type.
func wanted(kind string) string {
	switch kind {
	case "duration":
		return "a duration like 2h"
	case "bool":
		return "true or false"
	case "float64":
		return "a number"
	case "uint64":
		return "a whole number of 0 or more"
	}
	return "a whole number"
}

// timeForm matches what looks like a time, correct or not.
var timeForm = regexp.MustCompile(`^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,2}([T ][\d:.]{1,18} ?([Zz]|[+-][\d:]{1,6})?)?$`)

// Quotable is a wrong value as an error may show it: in full if it looks like a
// time or a name, otherwise cut short, since it may be a push token.
func Quotable(s string) string {
	if timeForm.MatchString(s) {
		return s
	}
	return text.Name(s)
}
