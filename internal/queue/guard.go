package queue

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// noScript is how Redis says that it has no script of a hash.
type noScript struct{}

func (noScript) Error() string { return "NOSCRIPT No matching script" }

// RedisError marks an error as one of Redis.
func (noScript) RedisError() {}

var _ redis.Error = noScript{}

// EvalSha runs one of asynq's scripts.
func (c *client) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return c.script(ctx, call{sha: sha, keys: keys, args: args})
}

// Eval runs one of asynq's scripts that Redis does not have yet.
func (c *client) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return c.script(ctx, call{text: script, keys: keys, args: args})
}

// call is asynq's call of a script, by its hash or its text.
type call struct {
	sha, text string
	keys      []string
	args      []any
}

// script recognises asynq's scripts by their keys. A new version of asynq that
// names them otherwise fails TestAsynqsScriptsAreRecognised.
func (c *client) script(ctx context.Context, s call) *redis.Cmd {
	if l := c.source.lanes[s.keys[0]]; l != nil && len(s.keys) == 4 && strings.HasSuffix(s.keys[1], ":paused") {
		return c.nextTask(ctx, s.keys, l)
	}
	if t, at, ok := c.ending(s); ok {
		return c.end(ctx, s, t, at)
	}
	if _, ok := c.leases[s.keys[0]]; ok && len(s.keys) == 1 {
		// asynq's recoverer lists leases that ended a while ago. It would run
		// their tasks again without a fence; the reaper has done so already.
		cmd := redis.NewCmd(ctx)
		cmd.SetVal([]any{})
		return cmd
	}
	if l := c.source.lanes[s.keys[len(s.keys)-1]]; l != nil && len(s.keys) == 2 && len(s.args) == 4 {
		// asynq's forwarder moves the tasks that are due.
		cmd := redis.NewCmd(ctx)
		n, _, err := c.forward.move(ctx, s.keys[0], l.name, false)
		cmd.SetErr(err)
		if err == nil {
			cmd.SetVal(int64(n))
		}
		return cmd
	}
	if s.text != "" {
		return c.pipe.Eval(ctx, s.text, s.keys, s.args...)
	}
	return c.pipe.EvalSha(ctx, s.sha, s.keys, s.args...)
}

// Where asynq's script that puts a task back has, from 0, the set of such tasks
// among its keys, and the time among its arguments.
const putOffSet, putOffAt = 3, 2

// ending recognises a script that ends a run: it has the leases, the active list
// and the task among its keys, and the task's id as its first argument. at is the
// index of the task's key, from 1.
func (c *client) ending(s call) (t taskName, at int, ok bool) {
	if len(s.args) == 0 {
		return t, 0, false
	}
	t.id, ok = s.args[0].(string)
	if !ok {
		return t, 0, false
	}
	for _, key := range s.keys {
		if lane, ok := c.leases[key]; ok {
			t.lane = lane
		}
	}
	at = slices.Index(s.keys, t.key())
	return t, at + 1, at >= 0 && slices.Contains(s.keys, wire.ActiveKey(t.lane))
}

// end runs a script that ends a run, if this process still has one of the task.
func (c *client) end(ctx context.Context, s call, t taskName, at int) *redis.Cmd {
	r := c.source.runOf(t)
	guarded := c.guarded(s)
	cmd := redis.NewCmd(ctx)
	switch {
	case r == nil:
		cmd.SetVal("LOST")
		return cmd
	case guarded == nil:
		cmd.SetErr(noScript{}) // asynq then sends the text
		return cmd
	}
	args, again := slices.Clone(s.args), c.source.againOf(r)
	promised := 0
	if again != nil && len(args) > putOffAt && slices.Index(s.keys, wire.RetryKey(t.lane)) == putOffSet {
		args[putOffAt] = score(again.At) // asynq would cut it to a whole second
		if again.Promised {
			promised = 1
		}
	}
	cmd = guarded.Run(ctx, c.pipe, s.keys, append(args, promised, at, r.runID)...)
	if cmd.Err() == nil {
		c.source.forget(r)
		if again != nil {
			c.forward.expect(t.lane, again.At)
		}
	}
	return cmd
}

// guarded is one of asynq's scripts with the guard before it; nil: its text is not
// known yet.
func (c *client) guarded(s call) *redis.Script {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.text == "" {
		return c.guards[s.sha]
	}
	guarded := redis.NewScript(guardSource + s.text)
	c.guards[redis.NewScript(s.text).Hash()] = guarded
	return guarded
}
