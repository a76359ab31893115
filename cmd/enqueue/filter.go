package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// entryFlags select entries of a stream: dead letters or quarantined feed entries.
type entryFlags struct{ app, vendor, code, job, since string }

// register adds the flags. happened completes the help of --since: "died".
func (f *entryFlags) register(c *cobra.Command, happened string) {
	fl := c.Flags()
	fl.StringVar(&f.app, "app", "", "only of this `APP`")
	fl.StringVar(&f.vendor, "vendor", "", "only of this `VENDOR`")
	fl.StringVar(&f.code, "code", "", "only with this `CODE`: vendor/level/code, or only the vendor's own code")
	fl.StringVar(&f.job, "job", "", "only of this `JOB`")
	fl.StringVar(&f.since, "since", "", "only what "+happened+" after this `TIME`: RFC 3339, or a duration before now like 2h")
}

func (f *entryFlags) empty() bool { return *f == entryFlags{} }

// filter checks the flags and returns the filter that they describe.
func (f *entryFlags) filter() (wire.EntryFilter, error) {
	if _, ok := registry.Find(f.vendor); !ok && f.vendor != "" {
		return wire.EntryFilter{}, usage(fmt.Errorf("--vendor: %w", unknownVendor(f.vendor)))
	}
	since, err := parseTime("since", f.since, -1)
	return wire.EntryFilter{App: f.app, Vendor: f.vendor, Code: f.code, Job: f.job, Since: since}, err
}
