package deadletter

import (
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
)

// replayScript moves one entry from the dead letters back into its lane, and
// its tokens in the ledger from dead to pending. A ledger that is gone, or that
// another job under the same id has begun, takes the tokens in as accepted anew.
//
//	KEYS: dead stream, ledger, chunk, asynq queues, asynq task, asynq pending, call, open work, open jobs
//	ARGV: entry's id, tokens, app, now (Unix s), now (ns), TTL (s),
//	      chunk, the same for a ledger that is a string, lane, asynq task id, asynq task,
//	      member of the open work, its score, job
//	Returns "ok", "gone" if the entry is not in the stream, or why it stays there.
var replayScript = redis.NewScript(coord.OnceLua + `
if did(KEYS[7], ARGV[1]) then return 'ok' end
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 'gone' end
local ledger, n, ttl = KEYS[2], tonumber(ARGV[2]), tonumber(ARGV[6])
local chunk = ARGV[7]
local kind = redis.call('TYPE', ledger)
kind = kind.ok or kind

if kind == 'string' then
  local letter, rest = string.match(redis.call('GET', ledger), '^1(%a)%w+(.*)$')
  if letter ~= 'e' or n ~= 1 then return 'another job has its id now' end
  redis.call('SET', ledger, '1p0' .. rest, 'EX', ttl)
  chunk = ARGV[8]
else
  local v = redis.call('HMGET', ledger, 'state', 'dead', 'ended')
  if v[1] == 'staging' then return 'another job is being enqueued under its id' end
  if v[1] == 'canceled' and not v[3] then
    return 'its job was canceled, and what is left of that is still being counted'
  end
  if kind == 'none' then
    redis.call('HSET', ledger, 'app', ARGV[3], 'accepted', 0, 'created', ARGV[4], 'keep', 0)
  end
  local dead = math.min(n, tonumber(v[2] or 0))
  if dead > 0 then redis.call('HINCRBY', ledger, 'dead', -dead) end
  if dead < n then redis.call('HINCRBY', ledger, 'accepted', n - dead) end
  if v[1] ~= 'sealed' then redis.call('HSET', ledger, 'state', 'running') end
  redis.call('HDEL', ledger, 'ended')
  redis.call('EXPIRE', ledger, math.max(ttl, redis.call('TTL', ledger)))
  redis.call('ZADD', KEYS[9], redis.call('HGET', ledger, 'created') or ARGV[4], ARGV[14])
end

redis.call('SET', KEYS[3], chunk, 'EX', ttl)
redis.call('SADD', KEYS[4], ARGV[9])
redis.call('HSET', KEYS[5], 'msg', ARGV[11], 'state', 'pending', 'pending_since', ARGV[5])
redis.call('LPUSH', KEYS[6], ARGV[10])
redis.call('ZADD', KEYS[8], ARGV[13], ARGV[12])
redis.call('XDEL', KEYS[1], ARGV[1])
note(KEYS[7], ARGV[1])
return 'ok'
`)
