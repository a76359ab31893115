// Package preflight looks at a Redis before jobs are entrusted to it: what makes
// it unfit (an old version, a Cluster, a replica, missing rights) and what would
// lose jobs (eviction, no persistence).
//
// It changes nothing in Redis, and a server that forbids CONFIG, INFO or ACL, as
// managed ones do, is only looked at less closely.
package preflight

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Finding is what was found out about one subject.
type Finding struct {
	// What is the subject: "redis.url", or "redis " and a word.
	What string
	// At most one is set: why postrider cannot work, what would lose jobs, or
	// what could not be looked at; each with what to do. None: it is right.
	Fault, Warning, Note string
}

// Check looks at the Redis that the options lead to. The error is that it cannot
// be reached, or is loading its data.
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
		found = append(found, Finding{What: "redis version, memory, persistence, role", Note: "could not be looked at: INFO: " + err.Error()})
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

// Faults joins the faults, one a line; "" if there is none.
func Faults(all []Finding) string {
	var lines []string
	for _, f := range all {
		if f.Fault != "" {
			lines = append(lines, f.What+" "+f.Fault)
		}
	}
	return strings.Join(lines, "\n")
}
