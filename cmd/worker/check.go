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
		Short: "Check the configuration, Redis and the vendors' credentials",
		Long: `check-config reads the configuration, checks Redis (version, role, the user's
rights, and what would lose jobs: eviction, no persistence), and tries the
credentials at each vendor that has a harmless call for it, such as granting an
access token. It writes nothing to Redis and sends no message. It exits 2 if any
check fails, and 0 if there are only warnings.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			return p.report(p.checkAll(cmd.Context(), cfg))
		},
	}
}

// finding is the result of one check.
type finding struct {
	What    string `json:"what"`
	Fault   string `json:"fault,omitempty"`
	Warning string `json:"warning,omitempty"` // jobs may be lost
	Note    string `json:"note,omitempty"`    // what could not be checked
}

// checkAll checks the configuration as a worker uses it, Redis, and each
// account's credentials.
func (p *program) checkAll(ctx context.Context, cfg *config.Config) []finding {
	found := []finding{{What: cfg.File}}
	if err := cfg.CheckWorker(); err != nil {
		found[0].Fault = err.Error()
	}
	found = append(found, checkRedis(ctx, cfg)...)
	client := httpx.NewClient(1)
	for _, app := range slices.Sorted(maps.Keys(cfg.Apps)) {
		accounts := cfg.Apps[app].Vendors
		for _, vendor := range slices.Sorted(maps.Keys(accounts)) {
			f := finding{What: "apps." + app + "." + vendor}
			g, ok := accounts[vendor].Settings.Open(client).(vendors.Granter)
			if ok {
				f.Fault = checkCredentials(ctx, g, accounts[vendor].Timeout)
			} else {
				f.Note = "not checked: the vendor has no call that tries the credentials without sending a message"
			}
			found = append(found, f)
		}
	}
	return found
}

// redisTimeout bounds the checks of Redis.
const redisTimeout = 5 * time.Second

func checkRedis(ctx context.Context, cfg *config.Config) []finding {
	o, err := cfg.RedisOptions()
	var found []preflight.Finding
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, redisTimeout)
		defer cancel()
		found, err = preflight.Check(ctx, o)
	}
	if err != nil {
		return []finding{{What: "redis.url", Fault: unreachable(err).Error()}}
	}
	all := make([]finding, len(found))
	for i, f := range found {
		all[i] = finding(f)
	}
	return all
}

// unreachable adds what to do to an error of preflight.Check.
func unreachable(err error) error {
	return fmt.Errorf("%w: check that Redis runs, and redis.url in the configuration", err)
}

// requireRedis checks Redis before a worker starts. It logs what would lose
// jobs, and returns an error if the worker cannot work with this Redis.
func requireRedis(ctx context.Context, o *redis.UniversalOptions, log zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	found, err := preflight.Check(ctx, o)
	if err != nil {
		return unreachable(err)
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

func checkCredentials(ctx context.Context, g vendors.Granter, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := g.Grant(ctx, time.Now()); err != nil {
		return err.Error()
	}
	return ""
}

// report prints the findings. A fault is a usage error: exit code 2.
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
	switch faults {
	case 0:
		return nil
	case 1:
		return usageError{errors.New("1 check failed")}
	}
	return usageError{fmt.Errorf("%d checks failed", faults)}
}
