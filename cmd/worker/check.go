package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/preflight"
	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func (p *program) checkConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "check-config",
		Short: "Read the configuration, look at Redis, try each credential, report all faults",
		Long: `check-config reads the configuration, looks at Redis (version, role, rights of
the user, and what would lose jobs: eviction, no persistence), and asks each
vendor that has a harmless call for it, such as granting an access token, whether
it accepts the credentials. Nothing is written and no message is sent. It exits 2
if anything is wrong; with warnings only it exits 0.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			return p.report(p.try(cmd.Context(), cfg))
		},
	}
}

// finding is the result of one check.
type finding struct {
	What    string `json:"what"`
	Fault   string `json:"fault,omitempty"`
	Warning string `json:"warning,omitempty"` // jobs may get lost
	Note    string `json:"note,omitempty"`    // what could not be looked at
}

// try checks what the file alone cannot tell.
func (p *program) try(ctx context.Context, cfg *config.Config) []finding {
	found := []finding{{What: cfg.File}}
	if err := cfg.CheckWorker(); err != nil {
		found[0].Fault = err.Error()
	}
	found = append(found, tryRedis(ctx, cfg)...)
	client := httpx.NewClient(1)
	for _, app := range slices.Sorted(maps.Keys(cfg.Apps)) {
		accounts := cfg.Apps[app].Vendors
		for _, vendor := range slices.Sorted(maps.Keys(accounts)) {
			f := finding{What: "apps." + app + "." + vendor}
			g, ok := accounts[vendor].Settings.Open(client).(vendors.Granter)
			if ok {
				f.Fault = tryGrant(ctx, g, accounts[vendor].Timeout)
			} else {
				f.Note = "the vendor has no call that would try the credentials without a message"
			}
			found = append(found, f)
		}
	}
	return found
}

// redisTime bounds the look at Redis.
const redisTime = 5 * time.Second

func tryRedis(ctx context.Context, cfg *config.Config) []finding {
	o, err := cfg.RedisOptions()
	var found []preflight.Finding
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, redisTime)
		defer cancel()
		found, err = preflight.Check(ctx, o)
	}
	if err != nil {
		return []finding{{What: "redis.url", Fault: err.Error()}}
	}
	all := make([]finding, len(found))
	for i, f := range found {
		all[i] = finding(f)
	}
	return all
}

// fit looks at Redis before a worker starts: it logs what would lose jobs, and
// the error is what the worker could not work with.
func fit(ctx context.Context, o *redis.UniversalOptions, log zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, redisTime)
	defer cancel()
	found, err := preflight.Check(ctx, o)
	if err != nil {
		return fmt.Errorf("%w: check redis.url", err)
	}
	for _, f := range found {
		if f.Warning != "" {
			log.Warn().Msg(f.What + " " + f.Warning)
		}
		if f.Note != "" {
			log.Info().Msg(f.What + " " + f.Note)
		}
	}
	if faults := preflight.Faults(found); faults != "" {
		return usageError{errors.New(faults)}
	}
	return nil
}

func tryGrant(ctx context.Context, g vendors.Granter, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := g.Grant(ctx, time.Now()); err != nil {
		return err.Error()
	}
	return ""
}

// report prints the findings; any fault is the user's.
func (p *program) report(found []finding) error {
	faults := 0
	for _, f := range found {
		if f.Fault != "" {
			faults++
		}
	}
	if p.json {
		if err := json.NewEncoder(p.out).Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			switch {
			case f.Fault != "":
				text.Fprintf(p.out, "fault  %s: %s\n", f.What, f.Fault)
			case f.Warning != "":
				text.Fprintf(p.out, "warn   %s: %s\n", f.What, f.Warning)
			case f.Note != "":
				text.Fprintf(p.out, "-      %s: %s\n", f.What, f.Note)
			default:
				text.Fprintf(p.out, "ok     %s\n", f.What)
			}
		}
	}
	if faults > 0 {
		return usageError{fmt.Errorf("%d faults in the configuration", faults)}
	}
	return nil
}
