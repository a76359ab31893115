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
	"github.com/spf13/cobra"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors"
)

func (p *program) checkConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "check-config",
		Short: "Read the configuration, try Redis and each credential, report all faults",
		Long: `check-config reads the configuration, tries to reach Redis, and asks each vendor
that has a harmless call for it, such as granting an access token, whether it
accepts the credentials. No message is sent. It exits 2 if anything is wrong.`,
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
	What  string `json:"what"`
	Fault string `json:"fault,omitempty"`
	Note  string `json:"note,omitempty"`
}

// try checks what the file alone cannot tell.
func (p *program) try(ctx context.Context, cfg *config.Config) []finding {
	found := []finding{{What: cfg.File}}
	if err := cfg.CheckWorker(); err != nil {
		found[0].Fault = err.Error()
	}
	found = append(found, tryRedis(ctx, cfg))
	client := vendors.NewClient(1)
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

func tryRedis(ctx context.Context, cfg *config.Config) finding {
	f := finding{What: "redis.url"}
	o, err := cfg.RedisOptions()
	if err == nil {
		rdb := redis.NewUniversalClient(o)
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = errors.Join(rdb.Ping(ctx).Err(), rdb.Close())
	}
	if err != nil {
		f.Fault = err.Error()
	}
	return f
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
				fmt.Fprintf(p.out, "fault  %s: %s\n", f.What, f.Fault)
			case f.Note != "":
				fmt.Fprintf(p.out, "-      %s: %s\n", f.What, f.Note)
			default:
				fmt.Fprintf(p.out, "ok     %s\n", f.What)
			}
		}
	}
	if faults > 0 {
		return usageError{fmt.Errorf("%d faults in the configuration", faults)}
	}
	return nil
}
