package preflight

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// info are the fields of INFO.
type info map[string]string

func readInfo(ctx context.Context, rdb redis.UniversalClient) (info, error) {
	text, err := rdb.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	all := info{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all, nil
}

// version demands 6.2, which introduced BLMOVE and XAUTOCLAIM. Valkey and other
// forks report in redis_version the Redis that they are compatible with.
func version(all info) Finding {
	const what, oldest = "redis version", "6.2"
	have := all["redis_version"]
	major, rest, _ := strings.Cut(have, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	switch {
	case errA != nil || errB != nil:
		return Finding{What: what, Note: "could not be checked: INFO does not contain it: make sure that it is 6.2 or later"}
	case a < 6 || a == 6 && b < 2:
		return Finding{What: what, Fault: fmt.Sprintf("is %s, which has no BLMOVE and no XAUTOCLAIM: use Redis %s or later, or Valkey", have, oldest)}
	}
	return Finding{What: what}
}

func role(all info) Finding {
	const what = "redis role"
	switch {
	case all["cluster_enabled"] == "1", all["redis_mode"] == "cluster":
		return Finding{What: what, Fault: noCluster}
	case all["role"] == "slave":
		return Finding{What: what, Fault: fmt.Sprintf("is replica (of %s:%s): name the primary in redis.url", all["master_host"], all["master_port"])}
	}
	return Finding{What: what}
}

func memory(all info) Finding {
	const what, remedy = "redis memory", "run CONFIG SET maxmemory-policy noeviction, and set it in Redis's configuration file"
	policy, limit := all["maxmemory_policy"], all["maxmemory"]
	switch {
	case policy == "":
		return Finding{What: what, Note: "could not be checked: INFO does not contain maxmemory_policy: make sure that it is noeviction"}
	case policy == "noeviction":
		return Finding{What: what}
	case limit == "0":
		return Finding{What: what, Warning: "has maxmemory-policy " + policy + ": once maxmemory is set, Redis deletes jobs when it is full: " + remedy}
	}
	return Finding{What: what, Warning: "has maxmemory-policy " + policy + ": Redis deletes jobs when it is full: " + remedy}
}

func persistence(ctx context.Context, rdb redis.UniversalClient, all info) Finding {
	const what, remedy = "redis persistence", "run CONFIG SET appendonly yes, and set it in Redis's configuration file"
	switch all["aof_enabled"] {
	case "":
		return Finding{What: what, Note: "could not be checked: INFO does not contain aof_enabled: make sure that appendonly is yes"}
	case "1":
		if s := all["aof_last_write_status"]; s != "" && s != "ok" {
			return Finding{What: what, Warning: "has failed: the last write to the append-only file ended with " + s + ": check the disk and Redis's log"}
		}
		return Finding{What: what}
	}
	save, err := rdb.ConfigGet(ctx, "save").Result()
	switch {
	case err != nil:
		return Finding{What: what, Note: "has no append-only file, and whether snapshots are saved could not be checked: CONFIG: " + err.Error()}
	case save["save"] == "":
		return Finding{What: what, Warning: "is off: a restart of Redis loses every job: " + remedy}
	}
	return Finding{What: what, Warning: "uses only snapshots (save " + save["save"] + "): a crash of Redis loses the jobs since the last one: " + remedy}
}
