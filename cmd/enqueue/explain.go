package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (a *app) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain VENDOR [CODE]",
		Short: "Tell what a vendor's result code means and what is done about it",
		Long: `explain tells what a vendor's result code means and what is done about it, as
the configuration has it: a row that its block codes overrides names the file
and line as its source. Without a configuration it tells postrider's own rules.`,
		Example: `  enqueue explain huawei 80300007
  enqueue explain huawei`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			spec, ok := registry.Find(args[0])
			if !ok {
				return noVendor(args[0])
			}
			table, err := a.codes(spec.Name, spec.Codes)
			if err != nil {
				return err
			}
			code := ""
			if len(args) == 2 {
				code = args[1]
			}
			rows := table.Explain(code)
			if len(rows) == 0 {
				return fmt.Errorf("%s has no documented code %s: it would be tried once more, then end dead; no token is deleted for it", spec.Name, shortCode(code))
			}
			if a.json {
				return a.print(rows)
			}
			return a.tellRows(rows, spec.Codes)
		},
	}
}

// noVendor is the error for a word that names no vendor.
func noVendor(word string) error {
	if near := text.Nearest(word, strings.Split(registry.Names(), ", ")); near != "" {
		return fmt.Errorf("%q is not a vendor: did you mean %s?", text.Name(word), near)
	}
	return fmt.Errorf("%q is not a vendor; vendors are %s", text.Name(word), registry.Names())
}

// shortCode shows a code, which no vendor has as long as a push token.
func shortCode(code string) string {
	const longest = 20
	if len(code) > longest {
		return text.Name(code)
	}
	return code
}

// codes is a vendor's table as the configuration has it. There need be none,
// unless one was asked for.
func (a *app) codes(vendor string, own *classify.Table) (*classify.Table, error) {
	err := a.load()
	if errors.Is(err, fs.ErrNotExist) && config.Find(a.file, os.Getenv) == config.DefaultPath {
		return own, nil
	}
	if err != nil {
		return nil, err
	}
	return a.cfg.Tables[vendor], nil
}

// tellRow prints one row in full. own is what rows were before the configuration.
func (a *app) tellRow(r classify.Row, own *classify.Table) {
	text.Fprintf(a.out, "%s\n  meaning  %s\n  class    %s\n  remedy   %s\n  scope    %s\n", r.Key(), r.Meaning, r.Class, r.Remedy, r.Scope)
	if r.Bucket != "" {
		text.Fprintf(a.out, "  bucket   %s\n  window   %s\n", r.Bucket, r.Window)
	}
	text.Fprintf(a.out, "  source   %s\n", r.Source)
	if was := instead(r, own); was != "" {
		text.Fprintf(a.out, "  instead of %s\n", was)
	}
}

// tellRows prints one row in full, more as a table.
func (a *app) tellRows(rows []classify.Row, own *classify.Table) error {
	if len(rows) == 1 {
		a.tellRow(rows[0], own)
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEVEL\tCODE\tCLASS\tREMEDY\tSCOPE\tMEANING")
	for _, r := range rows {
		meaning := r.Meaning
		if instead(r, own) != "" {
			meaning += " (overridden by " + r.Source + ")"
		}
		text.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Level, r.Code, r.Class, r.Remedy, r.Scope, meaning)
	}
	return w.Flush()
}

// instead tells what a row overrides, or "".
func instead(r classify.Row, own *classify.Table) string {
	was, known := own.Lookup(r.Level, r.Code)
	switch {
	case known && was.Source == r.Source:
		return ""
	case !known:
		return "no rule"
	}
	return fmt.Sprintf("%s, %s, %s (%s)", was.Class, was.Remedy, was.Scope, was.Source)
}
