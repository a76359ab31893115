-- Ends the staging of chunks: from now on tasks may exist. It may be sent again,
-- its reply lost, when the sealed job was canceled meanwhile, or when a worker has
-- completed it.
--
-- Uses: kind
-- KEYS
--  ledger           the job's ledger
--  staged           hash of the job's chunks
--  staging_jobs     sorted set of the jobs that are being enqueued in parts
-- ARGV
--  chunks number    how many chunks the job has
--  now              Unix s
--  job              the job's id
--  owner            who enqueues the job
-- Returns {'ok' | 'duplicate' | 'conflict', owner}.
if kind(ledger) ~= 'hash' then return {'duplicate', ''} end
local v = redis.call('HMGET', ledger, 'state', 'digest', 'owner')
local state, digest, first_owner = v[1], v[2], v[3]
if not digest then return first_owner == owner and {'ok', first_owner} or {'duplicate', ''} end
if state ~= 'staging' and state ~= 'sealed' and state ~= 'canceled' then return {'duplicate', ''} end
if redis.call('HLEN', staged) ~= chunks then return {'conflict', ''} end
if state == 'canceled' then return {'ok', first_owner} end
redis.call('HSET', ledger, 'state', 'sealed')
redis.call('ZADD', staging_jobs, 'GT', now, job)
return {'ok', first_owner}
