-- Moves one entry from the dead letters back into its lane, and its tokens in the
-- ledger from dead to pending. A ledger that is gone, or that another job under
-- the same id has begun, takes the tokens in as newly accepted.
--
-- Uses: kind, single, once, task
-- KEYS
--  dead           stream of dead letters
--  ledger         the job's ledger
--  chunk          the entry's new chunk
--  queues         asynq's set of queues
--  task           asynq's task
--  list           asynq's pending list
--  call           what this call has done
--  open_work      the lane's index of open work
--  open_jobs      sorted set of the open jobs of more than one token
-- ARGV
--  entry          the entry's id
--  tokens number  how many it has
--  app            the job's app
--  now            Unix s
--  nanos          now, Unix ns
--  ttl number     s until chunk and ledger are forgotten
--  bytes          the chunk
--  bytes_single   the chunk for a ledger that is a string
--  lane           the lane
--  id             asynq's id of the task
--  msg            asynq's encoding of the task
--  member         the chunk's member of the index of open work
--  score          when the job expires, Unix s
--  job            the job's id
-- Returns 'ok', 'gone' if the entry is not in the stream, or why it stays there.
if did(call, entry) then return 'ok' end
if #redis.call('XRANGE', dead, entry, entry) == 0 then return 'gone' end
local is = kind(ledger)

if is == 'string' then
  local letter, _, rest = single(ledger)
  if letter ~= 'e' or tokens ~= 1 then return 'another job has its id now' end
  redis.call('SET', ledger, '1p0' .. rest, 'EX', ttl)
  bytes = bytes_single
else
  local v = redis.call('HMGET', ledger, 'state', 'dead', 'ended')
  if v[1] == 'staging' then return 'another job is being enqueued under its id' end
  if v[1] == 'canceled' and not v[3] then
    return 'its job was canceled, and what is left of that is still being counted'
  end
  if is == 'none' then
    redis.call('HSET', ledger, 'app', app, 'accepted', 0, 'created', now, 'keep', 0)
  end
  local were_dead = math.min(tokens, tonumber(v[2] or 0))
  if were_dead > 0 then redis.call('HINCRBY', ledger, 'dead', -were_dead) end
  if were_dead < tokens then redis.call('HINCRBY', ledger, 'accepted', tokens - were_dead) end
  if v[1] ~= 'sealed' then redis.call('HSET', ledger, 'state', 'running') end
  redis.call('HDEL', ledger, 'ended')
  redis.call('EXPIRE', ledger, math.max(ttl, redis.call('TTL', ledger)))
  redis.call('ZADD', open_jobs, redis.call('HGET', ledger, 'created') or now, job)
end

redis.call('SET', chunk, bytes, 'EX', ttl)
redis.call('SADD', queues, lane)
push_task(task, list, id, msg, nanos)
redis.call('ZADD', open_work, score, member)
redis.call('XDEL', dead, entry)
note(call, entry)
return 'ok'
