package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/text"
	"github.com/postrider/postrider/pkg/push/wire"
)

// ErrFinished is wrapped by the error for a job that cannot be canceled any
// more: every token has its outcome.
var ErrFinished = errors.New("the job is finished")

// cancelScript marks a job as canceled. What is not sent yet is counted as
// canceled by the workers, when its tasks come up; only a job whose chunks are
// still being laid down has no tasks, and ends here.
//
//	KEYS: ledger, staged, message
//	ARGV: now (Unix s), keep (s), what a chunk's key has before its name
//	Returns "ok", "unknown", "finished" or "unreadable".
var cancelScript = redis.NewScript(`
local kind = redis.call('TYPE', KEYS[1])
kind = kind.ok or kind
if kind == 'none' then return 'unknown' end

if kind == 'string' then
  local letter, rest = string.match(redis.call('GET', KEYS[1]), '^1(%a)(.*)$')
  if not letter then return 'unreadable' end
  if letter == 'p' then redis.call('SET', KEYS[1], '1q' .. rest, 'KEEPTTL') end
  return (letter == 'p' or letter == 'q' or letter == 'c') and 'ok' or 'finished'
end

local v = redis.call('HMGET', KEYS[1], 'state', 'accepted', 'keep')
if v[1] == 'done' then return 'finished' end
if v[1] == 'canceled' then return 'ok' end
redis.call('HSET', KEYS[1], 'state', 'canceled')
if v[1] == 'staging' then
  for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
    redis.call('UNLINK', ARGV[3] .. name)
  end
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HDEL', KEYS[1], 'digest', 'owner')
  redis.call('HSET', KEYS[1], 'canceled', v[2], 'ended', ARGV[1])
  redis.call('EXPIRE', KEYS[1], math.max(tonumber(v[3] or 0), tonumber(ARGV[2])))
end
return 'ok'
`)

// Cancel has what is not sent yet of a job end canceled; canceling it again
// changes nothing. The error wraps ErrUnknown or ErrFinished where there is
// nothing to cancel.
func (s *Store) Cancel(ctx context.Context, job string) error {
	keys := []string{wire.JobKey(job), wire.StagedKey(job), wire.MessageKey(job)}
	got, err := cancelScript.Run(ctx, s.Redis, keys,
		s.now().Unix(), int64(s.keep()/time.Second), wire.ChunkKey(wire.JobChunk(job, ""))).Text()
	switch {
	case err != nil:
		return fmt.Errorf("cancel job %s: %w", job, err)
	case got == "unknown":
		return fmt.Errorf("cancel job %s: %w", text.Name(job), ErrUnknown)
	case got == "finished":
		return fmt.Errorf("cancel job %s: %w", job, ErrFinished)
	case got != "ok":
		return fmt.Errorf("cancel job %s: its ledger: %w", job, wire.ErrNewer)
	}
	return nil
}
