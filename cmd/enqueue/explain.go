package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/cli"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (p *program) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain VENDOR [CODE]",
		Short: "Explain a vendor's result code and how it is handled",
		Long: `explain prints what a vendor's result code means and what postrider does about
it. The configuration's codes block counts: an overridden rule names the file and
line as its source. Without a configuration file it prints the built-in rules.`,
		Example: `  enqueue explain huawei 80300007
  enqueue explain oppo -2
  enqueue explain huawei`,
		Args: cli.Args(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			spec, ok := registry.Find(args[0])
			if !ok {
				return unknownVendor(args[0])
			}
			table, err := p.codes(spec.Name, spec.Codes)
			if err != nil {
				return err
			}
			code := ""
			if len(args) == 2 {
				code = args[1]
			}
			rows := find(table, code)
			if len(rows) == 0 {
				return fmt.Errorf("%s has no documented code %s: its tokens are retried once, then end dead; they are never reported as invalid", spec.Name, shortCode(code))
			}
			if p.json {
				return p.print(rows)
			}
			return p.printRows(rows, spec.Codes)
		},
	}
}

// subErrors finds the numbers that a grant's answer may have beside its code, in the
// meaning of a row.
var subErrors = regexp.MustCompile(`\(sub_error ([\d, ]+)\)`)

// find returns the rows of a code; all for "". A number that only comes beside the code
// of a grant's answer has the rows of those codes.
func find(table *classify.Table, code string) []classify.Row {
	rows := table.Explain(code)
	if len(rows) > 0 {
		return rows
	}
	return slices.DeleteFunc(table.Explain(""), func(r classify.Row) bool {
		m := subErrors.FindStringSubmatch(r.Meaning)
		return r.Level != classify.Auth || m == nil || !slices.Contains(strings.Split(m[1], ", "), code)
	})
}

// negative is a code that would be taken for a flag.
var negative = regexp.MustCompile(`^-\d+$`)

// protectCode puts a negative code of explain after "--", so that it is not taken for
// a flag: enqueue explain oppo -2.
func protectCode(args []string) []string {
	i := slices.IndexFunc(args, negative.MatchString)
	if i < 0 || !slices.Contains(args[:i], "explain") || slices.Contains(args[:i], "--") {
		return args
	}
	return append(slices.Delete(slices.Clone(args), i, i+1), "--", args[i])
}

// unknownVendor is the error for a word that is not a vendor's name.
func unknownVendor(word string) error {
	if near := text.Nearest(word, strings.Split(registry.Names(), ", ")); near != "" {
		return fmt.Errorf("%q is not a vendor: did you mean %s?", text.Name(word), near)
	}
	return fmt.Errorf("%q is not a vendor; vendors are %s", text.Name(word), registry.Names())
}

// shortCode shortens what is too long for a code, since it may be a push token.
func shortCode(code string) string {
	const longest = 20
	if len(code) > longest {
		return text.Name(code)
	}
	return code
}

// codes returns a vendor's table with the configuration's overrides. A missing
// configuration file is an error only if --config or the environment names it.
func (p *program) codes(vendor string, own *classify.Table) (*classify.Table, error) {
	err := p.load()
	if errors.Is(err, fs.ErrNotExist) && config.Find(p.file, os.Getenv) == config.DefaultPath {
		return own, nil
	}
	if err != nil {
		return nil, err
	}
	return p.cfg.Tables[vendor], nil
}

// printRow prints one row in full. own is the built-in table.
func (p *program) printRow(r classify.Row, own *classify.Table) {
	text.Fprintf(p.out, "%s\n", r.Key())
	for _, f := range [][2]string{
		{"meaning", r.Meaning}, {"class", string(r.Class)}, {"remedy", string(r.Remedy)}, {"scope", string(r.Scope)}, {"tries", tries(r)},
		{"action", string(r.Action)}, {"bucket", r.Bucket}, {"window", string(r.Window)}, {"source", r.Source}, {"overrides", overridden(r, own)}, {"postrider", handling(r)},
	} {
		if f[1] != "" {
			text.Fprintf(p.out, "  %-9s  %s\n", f[0], f[1])
		}
	}
}

func tries(r classify.Row) string {
	if r.Tries == 0 {
		return ""
	}
	return strconv.Itoa(r.Tries)
}

// printRows prints a single row in full and several as a table.
func (p *program) printRows(rows []classify.Row, own *classify.Table) error {
	if len(rows) == 1 {
		p.printRow(rows[0], own)
		return nil
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEVEL\tCODE\tCLASS\tREMEDY\tSCOPE\tMEANING")
	for _, r := range rows {
		meaning := r.Meaning
		if overridden(r, own) != "" {
			meaning += " (overridden by " + r.Source + ")"
		}
		text.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Level, r.Code, r.Class, r.Remedy, r.Scope, meaning)
	}
	return w.Flush()
}

// overridden describes the rule that a row overrides; "" if it overrides none.
func overridden(r classify.Row, own *classify.Table) string {
	was, known := own.Lookup(r.Level, r.Code)
	switch {
	case known && was.Source == r.Source:
		return ""
	case !known:
		return "no rule"
	}
	return fmt.Sprintf("%s, %s, %s (%s)", was.Class, was.Remedy, was.Scope, was.Source)
}
