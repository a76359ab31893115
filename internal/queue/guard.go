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
func (w *waiter) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return w.script(ctx, call{sha: sha, keys: keys, args: args})
}

// Eval runs one of asynq's scripts that Redis does not have yet.
func (w *waiter) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return w.script(ctx, call{text: script, keys: keys, args: args})
}

// call is asynq's call of a script, by its hash or its text.
type call struct {
	sha, text string
	keys      []string
	args      []any
}

// script recognises asynq's scripts by their keys. A new version of asynq that
// names them otherwise fails TestAsynqsScriptsAreRecognised.
func (w *waiter) script(ctx context.Context, c call) *redis.Cmd {
	if l := w.lanes[c.keys[0]]; l != nil && len(c.keys) == 4 && strings.HasSuffix(c.keys[1], ":paused") {
		return w.look(ctx, c.keys, l)
	}
	if t, at, ok := w.ending(c); ok {
		return w.end(ctx, c, t, at)
	}
	if _, ok := w.leases[c.keys[0]]; ok && len(c.keys) == 1 {
		// asynq's recoverer lists leases that ended a while ago. It would run
		// their tasks again without a fence; the reaper has done so already.
		cmd := redis.NewCmd(ctx)
		cmd.SetVal([]any{})
		return cmd
	}
	if l := w.lanes[c.keys[len(c.keys)-1]]; l != nil && len(c.keys) == 2 && len(c.args) == 4 {
		// asynq's forwarder has the tasks that are due worked.
		cmd := redis.NewCmd(ctx)
		n, _, err := w.forward(ctx, c.keys[0], l, false)
		cmd.SetErr(err)
		if err == nil {
			cmd.SetVal(int64(n))
		}
		return cmd
	}
	if c.text != "" {
		return w.pipe.Eval(ctx, c.text, c.keys, c.args...)
	}
	return w.pipe.EvalSha(ctx, c.sha, c.keys, c.args...)
}

// Where asynq's script that puts a task back has, from 0, the set of such tasks
// among its keys, and the time among its arguments.
const putOffSet, putOffAt = 3, 2

// ending recognises a script that ends a run: it has the lease, the active list
// and the task among its keys, and the task's id as its first argument.
func (w *waiter) ending(c call) (t taskName, at int, ok bool) {
	if len(c.args) == 0 {
		return t, 0, false
	}
	t.id, ok = c.args[0].(string)
	if !ok {
		return t, 0, false
	}
	for _, key := range c.keys {
		if lane, ok := w.leases[key]; ok {
			t.lane = lane
		}
	}
	at = slices.Index(c.keys, t.key())
	return t, at + 1, at >= 0 && slices.Contains(c.keys, wire.ActiveKey(t.lane))
}

// end runs a script that ends a run, if this process still has one of the task.
func (w *waiter) end(ctx context.Context, c call, t taskName, at int) *redis.Cmd {
	w.mu.Lock()
	r := w.runs[t]
	if c.text != "" {
		script := redis.NewScript(c.text) // for its hash
		w.guards[script.Hash()] = redis.NewScript(guardSource + c.text)
		c.sha = script.Hash()
	}
	guarded := w.guards[c.sha]
	w.mu.Unlock()
	cmd := redis.NewCmd(ctx)
	switch {
	case r == nil:
		cmd.SetVal("LOST")
		return cmd
	case guarded == nil:
		cmd.SetErr(noScript{}) // asynq then sends the text
		return cmd
	}
	args, again := slices.Clone(c.args), w.againOf(r)
	promised := 0
	if again != nil && len(args) > putOffAt && slices.Index(c.keys, wire.RetryKey(t.lane)) == putOffSet {
		args[putOffAt] = score(again.At) // asynq would cut it to a whole second
		if again.Promised {
			promised = 1
		}
	}
	cmd = guarded.Run(ctx, w.pipe, c.keys, append(args, promised, at, r.look)...)
	if cmd.Err() == nil {
		w.mu.Lock()
		w.forgetLocked(r)
		w.mu.Unlock()
		if again != nil {
			w.expect(t.lane, again.At)
		}
	}
	return cmd
}
