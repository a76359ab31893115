package push

import (
	"embed"
	"time"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

//go:embed scripts/*.lua
var scripts embed.FS

// aheadTasks is how many tasks of one app may go ahead of others at once: see
// wire/prelude/enqueue.lua.
const aheadTasks = 20

var (
	enqueueScript = lua.Load(scripts, "scripts/enqueue.lua")
	stageScript   = lua.Load(scripts, "scripts/stage.lua")
	sealScript    = lua.Load(scripts, "scripts/seal.lua")
	taskScript    = lua.Load(scripts, "scripts/task.lua")
	commitScript  = lua.Load(scripts, "scripts/commit.lua")
	abortScript   = lua.Load(scripts, "scripts/abort.lua")
)

// taskCall enqueues the task of a sealed job's chunk. due is a Unix second, 0 for
// now; app may be "": then the task does not go ahead of others.
func taskCall(t wire.Task, h wire.Header, now time.Time, due int64, app string) *lua.Call {
	return taskScript.Call().
		Key("task", wire.TaskKey(t.Queue, t.ID)).
		Key("list", queueKey(t.Queue, due)).
		Key("turns", wire.TurnKey(t.Queue)).
		Key("open_work", wire.OpenKey(t.Queue)).
		Key("chunk", wire.ChunkKey(h.Chunk)).
		Arg("id", t.ID).
		Arg("msg", t.Encode()).
		Arg("nanos", now.UnixNano()).
		Arg("due", due).
		Arg("app", app).
		Arg("member", wire.OpenOf(t.ID, h).Encode()).
		Arg("score", h.Expires)
}

// commitCall ends the enqueueing of a job by its owner.
func commitCall(job, owner string, now time.Time) *lua.Call {
	return commitScript.Call().
		Key("ledger", wire.JobKey(job)).
		Key("staged", wire.StagedKey(job)).
		Key("message", wire.MessageKey(job)).
		Key("staging_jobs", wire.StagingKey).
		Arg("now", now.Unix()).
		Arg("keep_at_least", int64(grace/time.Second)).
		Arg("owner", owner).
		Arg("job", job)
}

// abortCall deletes what an owner wrote of a job that is not sealed.
func abortCall(job, owner string) *lua.Call {
	return abortScript.Call().
		Key("ledger", wire.JobKey(job)).
		Key("staged", wire.StagedKey(job)).
		Key("message", wire.MessageKey(job)).
		Key("staging_jobs", wire.StagingKey).
		Key("open_jobs", wire.JobsKey).
		Arg("owner", owner).
		Arg("chunk_prefix", wire.ChunkKey(wire.JobChunk(job, ""))).
		Arg("job", job)
}

// addLedger adds a job's ledger to the call.
func (c *Client) addLedger(call *lua.Call, s *small, now time.Time) {
	keep := int64(0)
	if c.window > DefaultDedupWindow {
		keep = int64(c.window / time.Second)
	}
	form, value, id := "hash", s.App, s.ID
	if s.count == 1 {
		form, id = "single", ""
		value = wire.Single{Outcome: wire.Pending, App: s.App, Keep: time.Duration(keep) * time.Second}.Encode()
	}
	call.Row("job").
		Key("ledger", wire.JobKey(s.ID)).
		Arg("form", form).
		Arg("value", value).
		Arg("tokens", s.count).
		Arg("ttl", ttl(s.expires, now)).
		Arg("keep", keep).
		Arg("id", id)
}
