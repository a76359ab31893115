package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (a *app) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain VENDOR [CODE]",
		Short: "Tell what a vendor's result code means and what is done about it",
		Example: `  enqueue explain huawei 80300007
  enqueue explain huawei`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			spec, ok := registry.Find(args[0])
			if !ok {
				return fmt.Errorf("%q is not a vendor; vendors are %s", args[0], registry.Names())
			}
			code := ""
			if len(args) == 2 {
				code = args[1]
			}
			rows := spec.Codes.Explain(code)
			if len(rows) == 0 {
				return fmt.Errorf("%s has no documented code %s: it would be tried once more, then end dead; no token is deleted for it", args[0], code)
			}
			if a.json {
				return a.print(rows)
			}
			return a.tellRows(rows)
		},
	}
}

// quotaLines are for rows that name the quota which is used up.
func quotaLines(r classify.Row) string {
	if r.Bucket == "" {
		return ""
	}
	return fmt.Sprintf("  bucket   %s\n  window   %s\n", r.Bucket, r.Window)
}

func (a *app) tellRows(rows []classify.Row) error {
	if len(rows) == 1 {
		r := rows[0]
		_, err := fmt.Fprintf(a.out, "%s\n  meaning  %s\n  class    %s\n  remedy   %s\n  scope    %s\n%s  source   %s\n",
			r.Key(), r.Meaning, r.Class, r.Remedy, r.Scope, quotaLines(r), r.Source)
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEVEL\tCODE\tCLASS\tREMEDY\tSCOPE\tMEANING")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Level, r.Code, r.Class, r.Remedy, r.Scope, r.Meaning)
	}
	return w.Flush()
}
