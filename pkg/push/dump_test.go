package push_test

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// dump is all that lies in Redis.
type dump struct {
	life map[string]time.Duration // of every key; negative: it stays for ever
	text map[string]string
	hash map[string]map[string]string
	// places has where each member of a list stands, its score in a sorted set,
	// and 0 for a member of a set.
	places map[string]map[string][]int64
}

// read takes three round trips, however much there is.
func read(tb rapid.TB, rdb redis.UniversalClient) *dump {
	tb.Helper()
	ctx := context.Background()
	d := &dump{
		life: map[string]time.Duration{}, text: map[string]string{},
		hash: map[string]map[string]string{}, places: map[string]map[string][]int64{},
	}
	all := keys(tb, rdb)
	about, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range all {
			p.TTL(ctx, key)
			p.Type(ctx, key)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	values, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range all {
			d.life[key] = about[2*i].(*redis.DurationCmd).Val()
			ask(ctx, p, key, about[2*i+1].(*redis.StatusCmd).Val())
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i, value := range values {
		d.keep(all[i], value)
	}
	return d
}

func ask(ctx context.Context, p redis.Pipeliner, key, kind string) {
	switch kind {
	case "string":
		p.Get(ctx, key)
	case "hash":
		p.HGetAll(ctx, key)
	case "list":
		p.LRange(ctx, key, 0, -1)
	case "zset":
		p.ZRangeWithScores(ctx, key, 0, -1)
	case "set":
		p.SMembersMap(ctx, key)
	}
}

func (d *dump) keep(key string, value redis.Cmder) {
	at := map[string][]int64{}
	switch v := value.(type) {
	case *redis.StringCmd:
		d.text[key] = v.Val()
		return
	case *redis.MapStringStringCmd:
		d.hash[key] = v.Val()
		return
	case *redis.StringSliceCmd:
		for i, member := range v.Val() {
			at[member] = append(at[member], int64(i))
		}
	case *redis.ZSliceCmd:
		for _, z := range v.Val() {
			at[z.Member.(string)] = []int64{int64(z.Score)}
		}
	case *redis.StringStructMapCmd:
		for member := range v.Val() {
			at[member] = []int64{0}
		}
	}
	d.places[key] = at
}

func keys(tb rapid.TB, rdb redis.UniversalClient) []string {
	tb.Helper()
	all, err := rdb.Keys(context.Background(), "*").Result()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func wantEmpty(tb rapid.TB, rdb redis.UniversalClient) {
	tb.Helper()
	if all := keys(tb, rdb); len(all) > 0 {
		tb.Errorf("Redis holds %q, want nothing", all)
	}
}
