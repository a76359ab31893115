package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// entryFlags choose entries of a stream: dead letters, or held invalid tokens.
type entryFlags struct{ app, vendor, code, job, since string }

// register adds the flags; happened is what befell an entry: "died".
func (f *entryFlags) register(c *cobra.Command, happened string) {
	fl := c.Flags()
	fl.StringVar(&f.app, "app", "", "only of this app")
	fl.StringVar(&f.vendor, "vendor", "", "only of this vendor")
	fl.StringVar(&f.code, "code", "", "only with this code: vendor/level/code, or the vendor's own code alone")
	fl.StringVar(&f.job, "job", "", "only of this job")
	fl.StringVar(&f.since, "since", "", "only what "+happened+" after this time: RFC 3339, or a duration before now like 2h")
}

func (f *entryFlags) empty() bool { return *f == entryFlags{} }

// filter checks the flags and returns what they choose.
func (f *entryFlags) filter() (wire.EntryFilter, error) {
	if _, ok := registry.Find(f.vendor); !ok && f.vendor != "" {
		return wire.EntryFilter{}, usage(fmt.Errorf("--vendor: %w", noVendor(f.vendor)))
	}
	since, err := moment("since", f.since, -1)
	return wire.EntryFilter{App: f.app, Vendor: f.vendor, Code: f.code, Job: f.job, Since: since}, err
}
