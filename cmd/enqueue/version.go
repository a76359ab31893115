package main

import (
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/buildinfo"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error { return buildinfo.Read().Print(a.out, "enqueue", a.json) }
