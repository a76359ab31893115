package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// keyed are the commands that the programs or their scripts run on keys of
// postrider and asynq, with the right number of arguments. K is the key.
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

// keyless are the other commands. asynq's channel tells workers to cancel a task.
const keyless = `SCRIPT LOAD x|TIME|SCAN 0|PUBLISH asynq:cancel x|SUBSCRIBE asynq:cancel`

// prefixes begin the names of all keys.
func prefixes() []string { return []string{"postrider:", "asynq:"} }

// trial is one command that the user must be allowed to run.
type trial struct {
	words  []string
	prefix string // of its key, "" for none
}

func trials() []trial {
	var all []trial
	split := func(list, prefix string) {
		for _, command := range strings.FieldsFunc(list, func(r rune) bool { return r == '|' || r == '\n' }) {
			words := strings.Fields(command)
			for i, w := range words {
				if w == "K" {
					words[i] = prefix + "preflight"
				}
			}
			all = append(all, trial{words, prefix})
		}
	}
	split(keyless, "")
	for _, p := range prefixes() {
		split(keyed, p)
	}
	return all
}

// checkRights queues every command in a transaction, which Redis refuses if the
// user lacks the right, and discards the transaction. So nothing is executed, and
// the user needs no right to read ACLs.
func checkRights(ctx context.Context, rdb *redis.Client, user string) (Finding, error) {
	const what = "redis rights"
	if user == "" {
		user = "default"
	}
	conn := rdb.Conn()
	defer conn.Close() //nolint:errcheck // the client is closed after it
	if err := conn.Do(ctx, "MULTI").Err(); err != nil {
		if redis.HasErrorPrefix(err, "NOPERM") {
			return Finding{What: what, Fault: fmt.Sprintf("are too few: user %s may not run MULTI: run ACL SETUSER %[1]s +multi +exec +discard", user)}, nil
		}
		return Finding{}, err
	}
	all := trials()
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

// missing are rights that the user lacks and commands that the server lacks.
type missing struct{ commands, prefixes, unknown []string }

func (m *missing) empty() bool { return len(m.commands)+len(m.prefixes)+len(m.unknown) == 0 }

func (m *missing) add(p trial, err error) {
	if err == nil {
		return
	}
	reply := err.Error()
	switch {
	case redis.HasErrorPrefix(err, "NOPERM") && strings.Contains(reply, "channel"):
		m.prefixes = once(m.prefixes, "&asynq:cancel")
	case redis.HasErrorPrefix(err, "NOPERM") && strings.Contains(reply, "key"):
		m.prefixes = once(m.prefixes, "~"+p.prefix+"*")
	case redis.HasErrorPrefix(err, "NOPERM"):
		m.commands = once(m.commands, "+"+command(p.words))
	case strings.Contains(reply, "unknown command"):
		m.unknown = once(m.unknown, p.words[0])
	}
}

// command returns a command's name in ACL form, with its subcommand.
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

// fault says what is missing and how to grant it; "" if nothing is missing.
func (m *missing) fault(user string) string {
	var parts []string
	if rights := append(m.prefixes, m.commands...); len(rights) > 0 {
		parts = append(parts, fmt.Sprintf("are too few for user %s: run ACL SETUSER %[1]s %s", user, strings.Join(rights, " ")))
	}
	if len(m.unknown) > 0 {
		parts = append(parts, "cannot be granted: the server does not know "+strings.Join(m.unknown, ", ")+": use Redis 6.2 or later, or Valkey, with no command renamed")
	}
	return strings.Join(parts, "; ")
}
