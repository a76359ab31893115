-- Writes one chunk of a large job and marks it as staged in the job's list, which
-- it creates with the ledger if need be. Doing it again changes nothing.
--
-- Uses: kind, taken
-- KEYS
--  ledger           the job's ledger
--  staged           hash of the job's chunks: name to digest and number of tokens
--  message          the job's message
--  chunk            the chunk
--  staging_jobs     sorted set of the jobs that are being enqueued in parts
--  open_jobs        sorted set of the open jobs of more than one token
-- ARGV
--  now number       Unix s
--  window number    s for which the id of an ended job stays taken
--  ttl              s until everything of the job is forgotten
--  app              the job's app
--  keep             s to keep the ledger after the job has ended
--  digest           of everything but the job's targets
--  owner            who enqueues the job
--  text             the job's message
--  name             the chunk's name
--  chunk_digest     of the chunk's tokens: 16 bytes, and their number
--  bytes            the chunk
--  tokens           how many it has
--  job              the job's id
--  priority         the job's priority
-- Returns {'ok' | 'duplicate' | 'conflict', owner}.
local state = kind(ledger) == 'hash' and redis.call('HGET', ledger, 'state')
if state ~= 'staging' and state ~= 'sealed' then
  if taken(ledger, now, window) then return {'duplicate', ''} end
  redis.call('DEL', ledger, staged)
  redis.call('HSET', ledger, 'state', 'staging', 'app', app, 'accepted', 0, 'created', now,
    'keep', keep, 'digest', digest, 'owner', owner, 'priority', priority)
  redis.call('EXPIRE', ledger, ttl)
  redis.call('SET', message, text, 'EX', ttl)
  redis.call('ZADD', open_jobs, now, job)
elseif redis.call('HGET', ledger, 'digest') ~= digest then
  return {'conflict', ''}
end
redis.call('ZADD', staging_jobs, 'GT', now, job)
local first_owner = redis.call('HGET', ledger, 'owner')
local have = redis.call('HGET', staged, name)
if have then
  local same = string.sub(have, 1, 16) == string.sub(chunk_digest, 1, 16)
  return {same and 'ok' or 'conflict', first_owner}
end
if state == 'sealed' then return {'conflict', first_owner} end
redis.call('SET', chunk, bytes, 'EX', ttl)
redis.call('HSET', staged, name, chunk_digest)
redis.call('EXPIRE', staged, ttl)
redis.call('HINCRBY', ledger, 'accepted', tokens)
return {'ok', first_owner}
