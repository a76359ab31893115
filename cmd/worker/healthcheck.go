package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/healthcheck"
)

func (p *program) healthcheck() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if the worker with this configuration is ready; for containers",
		Long: `healthcheck asks the worker on this machine that listens on the configuration's
http.listen whether it is ready (GET /readyz): Redis is reachable, the lanes run,
and it is not draining. It exits 0 if it is ready, 1 if not, and 2 if the
configuration is wrong. It does not connect to Redis itself.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if err = (healthcheck.Server{Listen: cfg.HTTP.Listen}).Check(cmd.Context(), "/readyz"); err != nil {
				err = fmt.Errorf("not ready: http.listen %s: %w", cfg.HTTP.Listen, err)
			}
			return p.reportHealth(err)
		},
	}
}

// reportHealth prints the result, and returns the error for the exit code.
func (p *program) reportHealth(unready error) error {
	if !p.json {
		return unready
	}
	result := struct {
		Ready bool   `json:"ready"`
		Error string `json:"error,omitempty"`
	}{Ready: unready == nil}
	if unready != nil {
		result.Error = unready.Error()
	}
	if err := json.NewEncoder(p.out).Encode(result); err != nil {
		return err
	}
	return unready
}
