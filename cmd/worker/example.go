package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func (p *program) example() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print an example configuration that explains every key",
		Example: `  worker example > postrider.yaml`,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.out, config.Example(registry.All()))
			return err
		},
	}
}
