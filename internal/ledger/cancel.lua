-- Marks a job as canceled. What is not sent yet is counted as canceled by the
-- workers, when its tasks are due; only a job whose chunks are still being staged
-- has no tasks, and ends here.
--
-- Uses: kind, single
-- KEYS
--  ledger                 the job's ledger
--  staged                 hash of the job's chunks
--  message                the job's message
--  staging_jobs           sorted set of the jobs that are being enqueued in parts
--  canceling              sorted set of the jobs that were canceled not long ago
-- ARGV
--  now                    Unix s
--  keep_at_least number   s to keep the ledger of an ended job
--  chunk_prefix           what the keys of the job's chunks begin with
--  job                    the job's id
-- Returns 'ok', 'unknown', 'finished' or 'unreadable'.
local is = kind(ledger)
if is == 'none' then return 'unknown' end

if is == 'string' then
  local letter, number, rest = single(ledger)
  if not letter then return 'unreadable' end
  if letter == 'p' then
    redis.call('SET', ledger, '1q' .. number .. rest, 'KEEPTTL')
    redis.call('ZADD', canceling, now, job)
  end
  return (letter == 'p' or letter == 'q' or letter == 'c') and 'ok' or 'finished'
end

local v = redis.call('HMGET', ledger, 'state', 'accepted', 'keep')
local state, accepted, keep = v[1], v[2], tonumber(v[3] or 0)
if state == 'done' then return 'finished' end
if state == 'canceled' then return 'ok' end
redis.call('HSET', ledger, 'state', 'canceled')
if state ~= 'staging' then
  redis.call('ZADD', canceling, now, job)
  return 'ok'
end
for _, name in ipairs(redis.call('HKEYS', staged)) do
  redis.call('UNLINK', chunk_prefix .. name)
end
redis.call('DEL', staged, message)
redis.call('ZREM', staging_jobs, job)
redis.call('HDEL', ledger, 'digest', 'owner')
redis.call('HSET', ledger, 'canceled', accepted, 'ended', now)
redis.call('EXPIRE', ledger, math.max(keep, keep_at_least))
return 'ok'
