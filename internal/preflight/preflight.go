// Package preflight checks a Redis before jobs are stored in it: what makes it
// unusable (an old version, a Cluster, a replica, missing rights) and what would
// lose jobs (eviction, no persistence).
//
// It knows the commands that the programs and asynq run. It changes nothing in
// Redis. If a server forbids CONFIG, INFO or ACL, as managed ones do, the checks
// that need them become notes.
package preflight

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Finding is the result of one check.
type Finding struct {
	// What is the subject: "redis.url", or "redis " and a word.
	What string
	// At most one is set: why postrider cannot work, what would lose jobs, or what
	// could not be checked; each says what to do. None: the check passed.
	Fault, Warning, Note string
}

// Check checks the Redis that the options name. The error is that it cannot be
// reached, refuses the login, or is loading its data.
func Check(ctx context.Context, o *redis.UniversalOptions) ([]Finding, error) {
	if o.IsClusterMode || len(o.Addrs) > 1 && o.MasterName == "" {
		return []Finding{{What: "redis.url", Fault: noCluster}}, nil
	}
	own := *o
	rdb := redis.NewUniversalClient(&own)
	defer rdb.Close() //nolint:errcheck // nothing was written
	found, err := check(ctx, rdb, o.Username)
	if err != nil {
		return nil, fmt.Errorf("reach redis: %w", err)
	}
	return found, nil
}

const noCluster = "is a Redis Cluster, which is not supported yet: use one Redis, or Sentinel"

func check(ctx context.Context, rdb redis.UniversalClient, user string) ([]Finding, error) {
	if err := rdb.Ping(ctx).Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
		return nil, err
	}
	found := []Finding{{What: "redis.url"}}
	all, err := readInfo(ctx, rdb)
	if err != nil {
		found = append(found, Finding{What: "redis version, memory, persistence, role", Note: "could not be checked: INFO: " + err.Error()})
	} else {
		found = append(found, version(all), role(all), memory(all), persistence(ctx, rdb, all))
	}
	if client, ok := rdb.(*redis.Client); ok {
		rights, err := checkRights(ctx, client, user)
		if err != nil {
			return nil, err
		}
		found = append(found, rights)
	}
	return found, nil
}

// Faults joins the faults, one a line; "" without a fault.
func Faults(all []Finding) string {
	var lines []string
	for _, f := range all {
		if f.Fault != "" {
			lines = append(lines, f.What+" "+f.Fault)
		}
	}
	return strings.Join(lines, "\n")
}
