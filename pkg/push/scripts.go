package push

import (
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// luaTaken tells whether a job's id is taken: known, and not finished longer
// ago than the window.
const luaTaken = `
local function taken(key, now, window)
  local kind = redis.call('TYPE', key)
  kind = kind.ok or kind
  if kind == 'none' then return false end
  if kind == 'string' then
    local letter, number = string.match(redis.call('GET', key), '^1(%a)(%w+)')
    if not letter or letter == 'p' or letter == 'q' then return true end
    return tonumber(number, 36) + window > now
  end
  local ended = redis.call('HGET', key, 'ended')
  if not ended then return true end
  return tonumber(ended) + window > now
end
`

// luaHash tells whether a ledger is there and a hash: somebody may have
// enqueued another job, of one token, under the same id.
const luaHash = `
local function hash(key)
  local kind = redis.call('TYPE', key)
  return (kind.ok or kind) == 'hash'
end
`

// aheadTasks is how many tasks of one app may go ahead at once: see luaTask.
const aheadTasks = 20

// luaTask enqueues a task as asynq's own client does, unless its id exists.
//
// Where 32 tasks or more wait, those of an app that adds only a few go ahead of
// them, so that the job of a thousand chunks of one app does not hold up the
// small one of another. asynq takes tasks from the right end of the list.
//
// Tasks that go ahead keep their order, and every one of them has a task of the
// backlog before it: of two tasks taken, one at least is the backlog's. A task
// that would come later than 256 others goes to the back like any other.
//
// Each app may send 20 tasks ahead at once and then 10 a second. That is a GCRA:
// the hash turnkey holds for each app the time, in ms, until which its allowance
// is used up. It also holds the last task that went ahead (:last) and when it was
// last cleaned of apps whose time is over (:cleaned); an app's name has no colon.
const luaTask = wire.LuaAhead + `
local function clean(turnkey, now)
  if now - tonumber(redis.call('HGET', turnkey, ':cleaned') or 0) < 1000 then return end
  redis.call('HSET', turnkey, ':cleaned', string.format('%d', now))
  local all = redis.call('HGETALL', turnkey)
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) ~= ':' and tonumber(all[i + 1]) < now then redis.call('HDEL', turnkey, all[i]) end
  end
end

local function allowed(turnkey, queuekey, app, nanos)
  if app == '' or redis.call('LLEN', queuekey) < 32 then return false end
  local now = math.floor(tonumber(nanos) / 1e6)
  local turn = redis.call('HGET', turnkey, app)
  if not turn and redis.call('HLEN', turnkey) >= 1000 then
    clean(turnkey, now)
    if redis.call('HLEN', turnkey) >= 1000 then return false end
  end
  turn = math.max(tonumber(turn or 0), now)
  if turn - now > 1900 then return false end
  redis.call('HSET', turnkey, app, string.format('%d', turn + 100))
  redis.call('EXPIRE', turnkey, 60)
  return true
end

local function task(taskkey, queuekey, turnkey, id, msg, nanos, score, app)
  if redis.call('EXISTS', taskkey) == 1 then return end
  if score == '0' then
    redis.call('HSET', taskkey, 'msg', msg, 'state', 'pending', 'pending_since', nanos)
    if not (allowed(turnkey, queuekey, app, nanos) and ahead(turnkey, queuekey, id)) then
      redis.call('LPUSH', queuekey, id)
    end
  else
    redis.call('HSET', taskkey, 'msg', msg, 'state', 'scheduled')
    redis.call('ZADD', queuekey, score, id)
  end
end
`

// enqueueScript enqueues small jobs whole: ledgers, chunks and tasks in one
// step, or nothing at all if any of the ids is taken. go-redis sends it again
// when its reply was lost: the call leaves a marker for a minute, by which it is
// recognised and gets its first answer.
//
//	KEYS: call's marker, open jobs, J ledgers; then of each chunk: chunk, asynq task, asynq pending or scheduled, turns,
//	      open work, the chunk's jobs
//	ARGV: J, number of chunks, now (Unix s), window (s), now (ns),
//	      of each job: "s" and the ledger's string, or "h" and the app; tokens; TTL (s); keep (s); job, "" for "s"
//	      of each chunk: bytes, TTL (s), asynq task id, asynq task, due (Unix s, 0: now), app,
//	        member of the open work, its score, jobs or ""
//	Returns the indices, from 1, of the jobs whose ids are taken.
var enqueueScript = redis.NewScript(luaTaken + luaTask + `
local jobs, chunks = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, window, nanos = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local dup = {}
for i = 1, jobs do
  if taken(KEYS[i + 2], now, window) then dup[#dup + 1] = i end
end
if (#dup > 0 or window < 60) and redis.call('EXISTS', KEYS[1]) == 1 then return {} end
if #dup > 0 then return dup end
redis.call('SET', KEYS[1], '', 'EX', 60)
local a = 6
for i = 1, jobs do
  if ARGV[a] == 's' then
    redis.call('SET', KEYS[i + 2], ARGV[a + 1], 'EX', ARGV[a + 3])
  else
    redis.call('DEL', KEYS[i + 2])
    redis.call('HSET', KEYS[i + 2], 'state', 'running', 'app', ARGV[a + 1], 'accepted', ARGV[a + 2],
      'created', ARGV[3], 'keep', ARGV[a + 4])
    redis.call('EXPIRE', KEYS[i + 2], ARGV[a + 3])
    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[a + 5])
  end
  a = a + 6
end
local k = jobs + 3
for i = 1, chunks do
  redis.call('SET', KEYS[k], ARGV[a], 'EX', ARGV[a + 1])
  task(KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], ARGV[a + 2], ARGV[a + 3], nanos, ARGV[a + 4], ARGV[a + 5])
  redis.call('ZADD', KEYS[k + 4], ARGV[a + 7], ARGV[a + 6])
  if ARGV[a + 8] ~= '' then redis.call('SET', KEYS[k + 5], ARGV[a + 8], 'EX', ARGV[a + 1]) end
  k, a = k + 6, a + 9
end
return dup
`)

// stageScript lays down one chunk of a large job and marks it in the ledger,
// which it creates if need be. Doing it again changes nothing.
//
//	KEYS: ledger, staged, message, chunk, jobs being staged, open jobs
//	ARGV: now (Unix s), window (s), TTL (s), app, keep (s), digest of the job, owner, message,
//	      chunk's name, its digest with its number of tokens, its bytes, tokens, job, priority
//	Returns {"ok" | "duplicate" | "conflict", owner}.
var stageScript = redis.NewScript(luaTaken + `
local ledger, staged, message, chunk = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kind = redis.call('TYPE', ledger)
kind = kind.ok or kind
local state = kind == 'hash' and redis.call('HGET', ledger, 'state')
if state ~= 'staging' and state ~= 'sealed' then
  if taken(ledger, tonumber(ARGV[1]), tonumber(ARGV[2])) then return {'duplicate', ''} end
  redis.call('DEL', ledger, staged)
  redis.call('HSET', ledger, 'state', 'staging', 'app', ARGV[4], 'accepted', 0, 'created', ARGV[1],
    'keep', ARGV[5], 'digest', ARGV[6], 'owner', ARGV[7], 'priority', ARGV[14])
  redis.call('EXPIRE', ledger, ARGV[3])
  redis.call('SET', message, ARGV[8], 'EX', ARGV[3])
  redis.call('ZADD', KEYS[6], ARGV[1], ARGV[13])
elseif redis.call('HGET', ledger, 'digest') ~= ARGV[6] then
  return {'conflict', ''}
end
redis.call('ZADD', KEYS[5], 'GT', ARGV[1], ARGV[13])
local owner = redis.call('HGET', ledger, 'owner')
local have = redis.call('HGET', staged, ARGV[9])
if have then -- its first 16 bytes are the digest
  return {string.sub(have, 1, 16) == string.sub(ARGV[10], 1, 16) and 'ok' or 'conflict', owner}
end
if state == 'sealed' then return {'conflict', owner} end
redis.call('SET', chunk, ARGV[11], 'EX', ARGV[3])
redis.call('HSET', staged, ARGV[9], ARGV[10])
redis.call('EXPIRE', staged, ARGV[3])
redis.call('HINCRBY', ledger, 'accepted', ARGV[12])
return {'ok', owner}
`)

// sealScript ends the staging of chunks: from now on tasks may exist. It may be
// sent again, its reply lost, when the sealed job was canceled meanwhile, or when a
// worker has completed it.
//
//	KEYS: ledger, staged, jobs being staged
//	ARGV: number of chunks, now (Unix s), job, owner
//	Returns {"ok" | "duplicate" | "conflict", owner}.
var sealScript = redis.NewScript(luaHash + `
if not hash(KEYS[1]) then return {'duplicate', ''} end
local v = redis.call('HMGET', KEYS[1], 'state', 'digest', 'owner')
local state, digest, owner = v[1], v[2], v[3]
if not digest then return owner == ARGV[4] and {'ok', owner} or {'duplicate', ''} end
if state ~= 'staging' and state ~= 'sealed' and state ~= 'canceled' then return {'duplicate', ''} end
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[1]) then return {'conflict', ''} end
if state == 'canceled' then return {'ok', owner} end
redis.call('HSET', KEYS[1], 'state', 'sealed')
redis.call('ZADD', KEYS[3], 'GT', ARGV[2], ARGV[3])
return {'ok', owner}
`)

// taskScript enqueues one task of a sealed job, unless it is there.
//
//	KEYS: asynq task, asynq pending or scheduled, turns, open work, chunk
//	ARGV: asynq task id, asynq task, now (ns), due (Unix s, 0: now), app, member of the open work, its score
var taskScript = redis.NewScript(luaTask + `
if redis.call('EXISTS', KEYS[5]) == 0 then return 0 end -- sent again, when it is done
task(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[7], ARGV[6])
return 1
`)

// commitScript ends an enqueue: all tasks exist. A job whose chunks have all
// been finished meanwhile ends here.
//
//	KEYS: ledger, staged, message, jobs being staged
//	ARGV: now (Unix s), how long to keep a finished ledger (s), owner, job
//	Returns "ok" or, if somebody else was first, "duplicate".
var commitScript = redis.NewScript(luaHash + `
if not hash(KEYS[1]) then return 'duplicate' end
local have = redis.call('HMGET', KEYS[1], 'state', 'digest', 'owner')
if not have[2] then return have[3] == ARGV[3] and 'ok' or 'duplicate' end
if have[1] ~= 'sealed' and have[1] ~= 'canceled' then return 'duplicate' end
redis.call('ZREM', KEYS[4], ARGV[4])
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], 'digest')
redis.call('HSET', KEYS[1], 'owner', ARGV[3])
if have[1] == 'sealed' then redis.call('HSET', KEYS[1], 'state', 'running') end
local v = redis.call('HMGET', KEYS[1], 'accepted', 'delivered', 'invalid', 'dropped', 'expired', 'dead', 'canceled', 'keep')
local pending = tonumber(v[1])
for i = 2, 7 do pending = pending - tonumber(v[i] or 0) end
if pending == 0 then
  if have[1] == 'sealed' then redis.call('HSET', KEYS[1], 'state', 'done') end
  redis.call('HSET', KEYS[1], 'ended', ARGV[1])
  redis.call('EXPIRE', KEYS[1], math.max(tonumber(v[8]), tonumber(ARGV[2])))
  redis.call('DEL', KEYS[3])
end
return 'ok'
`)

// abortScript takes back what its owner laid down, unless the job was sealed.
//
//	KEYS: ledger, staged, message, jobs being staged, open jobs
//	ARGV: owner, what a chunk's key has before its name, job
var abortScript = redis.NewScript(luaHash + `
if not hash(KEYS[1]) then return 0 end
local v = redis.call('HMGET', KEYS[1], 'state', 'owner')
if v[1] ~= 'staging' or v[2] ~= ARGV[1] then return 0 end
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('DEL', ARGV[2] .. name)
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('ZREM', KEYS[4], ARGV[3])
redis.call('ZREM', KEYS[5], ARGV[3])
return 1
`)
