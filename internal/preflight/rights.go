package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// keyed are commands that are run on keys of ours and of asynq's, by the
// programs or inside their scripts, with arguments of the right number. K is
// the key.
const keyed = `
	GET K|SET K v|DEL K|UNLINK K|EXISTS K|TYPE K|STRLEN K|INCR K|GETRANGE K 0 0|SETRANGE K 0 v|SETEX K 1 v|SETNX K v
	EXPIRE K 1|EXPIREAT K 1|PEXPIRE K 1|TTL K|PTTL K
	HGET K f|HSET K f v|HMGET K f|HGETALL K|HDEL K f|HINCRBY K f 1|HEXISTS K f|HKEYS K|HLEN K|HVALS K
	LLEN K|LPUSH K v|RPUSH K v|LRANGE K 0 0|LREM K 0 v|LPOS K v|RPOP K|RPOPLPUSH K K|BLMOVE K K RIGHT RIGHT 1
	SADD K m|SREM K m|SMEMBERS K|SISMEMBER K m
	ZADD K 1 m|ZREM K m|ZCARD K|ZSCORE K m|ZRANGE K 0 0|ZREVRANGE K 0 0|ZRANGEBYSCORE K 0 0|ZREMRANGEBYSCORE K 0 0|ZREMRANGEBYRANK K 0 0|ZSCAN K 0
	XADD K * f v|XDEL K 0-1|XLEN K|XRANGE K - +|XREAD STREAMS K 0|XREADGROUP GROUP g c STREAMS K >|XACK K g 0-1
	XAUTOCLAIM K g c 0 0|XGROUP CREATE K g 0|XGROUP DELCONSUMER K g c|XINFO CONSUMERS K g
	EVAL x 1 K|EVALSHA x 1 K`

// keyless are the others. Workers are told by asynq's channel to cancel a task.
const keyless = `SCRIPT LOAD x|TIME|SCAN 0|PUBLISH asynq:cancel x|SUBSCRIBE asynq:cancel`

// prefixes begin the names of all keys.
func prefixes() []string { return []string{"postrider:", "asynq:"} }

// probe is one command that the user has to be allowed.
type probe struct {
	words  []string
	prefix string // of its key, "" for none
}

func probes() []probe {
	var all []probe
	split := func(list, prefix string) {
		for _, command := range strings.FieldsFunc(list, func(r rune) bool { return r == '|' || r == '\n' }) {
			words := strings.Fields(command)
			for i, w := range words {
				if w == "K" {
					words[i] = prefix + "preflight"
				}
			}
			all = append(all, probe{words, prefix})
		}
	}
	split(keyless, "")
	for _, p := range prefixes() {
		split(keyed, p)
	}
	return all
}

// checkRights asks Redis to queue every command in a transaction, which it
// refuses where the user has no right to it, and discards the transaction: so
// nothing is run, and the user needs no right to look at rights.
func checkRights(ctx context.Context, rdb *redis.Client, user string) (Finding, error) {
	const what = "redis rights"
	if user == "" {
		user = "default"
	}
	conn := rdb.Conn()
	defer conn.Close() //nolint:errcheck // the client is closed after it
	if err := conn.Do(ctx, "MULTI").Err(); err != nil {
		if redis.HasErrorPrefix(err, "NOPERM") {
			return Finding{What: what, Fault: fmt.Sprintf("are too few: user %s may not run MULTI: ACL SETUSER %[1]s +multi +exec +discard", user)}, nil
		}
		return Finding{}, err
	}
	all := probes()
	cmds := make([]*redis.Cmd, len(all))
	_, err := conn.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, pr := range all {
			args := make([]any, len(pr.words))
			for n, w := range pr.words {
				args[n] = w
			}
			cmds[i] = p.Do(ctx, args...)
		}
		p.Do(ctx, "DISCARD")
		return nil
	})
	m := missing{}
	for i, cmd := range cmds {
		m.add(all[i], cmd.Err())
	}
	if m.empty() && err != nil && ctx.Err() != nil {
		return Finding{}, err
	}
	return Finding{What: what, Fault: m.fault(user)}, nil
}

// missing are rights that a user lacks, and commands that the server does not have.
type missing struct{ commands, prefixes, unknown []string }

func (m *missing) empty() bool { return len(m.commands)+len(m.prefixes)+len(m.unknown) == 0 }

func (m *missing) add(p probe, err error) {
	if err == nil {
		return
	}
	said := err.Error()
	switch {
	case redis.HasErrorPrefix(err, "NOPERM") && strings.Contains(said, "channel"):
		m.prefixes = once(m.prefixes, "&asynq:cancel")
	case redis.HasErrorPrefix(err, "NOPERM") && strings.Contains(said, "key"):
		m.prefixes = once(m.prefixes, "~"+p.prefix+"*")
	case redis.HasErrorPrefix(err, "NOPERM"):
		m.commands = once(m.commands, "+"+command(p.words))
	case strings.Contains(said, "unknown command"):
		m.unknown = once(m.unknown, p.words[0])
	}
}

// command is the name of a command as ACL writes it, with its subcommand.
func command(words []string) string {
	name := strings.ToLower(words[0])
	switch name {
	case "script", "xgroup", "xinfo":
		return name + "|" + strings.ToLower(words[1])
	}
	return name
}

func once(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// fault says what is missing and how it is granted; "" for nothing.
func (m *missing) fault(user string) string {
	var parts []string
	if rights := append(m.prefixes, m.commands...); len(rights) > 0 {
		parts = append(parts, fmt.Sprintf("are too few for user %s: ACL SETUSER %[1]s %s", user, strings.Join(rights, " ")))
	}
	if len(m.unknown) > 0 {
		parts = append(parts, "do not help: the server does not know "+strings.Join(m.unknown, ", ")+": use Redis 6.2 or later, or Valkey, with no command renamed")
	}
	return strings.Join(parts, "; ")
}
