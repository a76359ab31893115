package main

import (
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/buildinfo"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		RunE:  func(*cobra.Command, []string) error { return p.printVersion() },
	}
}

func (p *program) printVersion() error { return buildinfo.Read().Print(p.out, "worker", p.json) }
