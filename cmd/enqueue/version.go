package main

import (
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/buildinfo"
	"github.com/postrider/postrider/internal/cli"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  cli.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return p.printVersion() },
	}
}

func (p *program) printVersion() error { return buildinfo.Read().Print(p.out, "enqueue", p.json) }
