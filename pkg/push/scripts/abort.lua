-- Deletes what its owner wrote of a job, unless the job was sealed.
--
-- Uses: kind
-- KEYS
--  ledger           the job's ledger
--  staged           hash of the job's chunks
--  message          the job's message
--  staging_jobs     sorted set of the jobs that are being enqueued in parts
--  open_jobs        sorted set of the open jobs of more than one token
-- ARGV
--  owner            who enqueued the job
--  chunk_prefix     what the keys of its chunks begin with
--  job              the job's id
-- Returns 1, or 0 if there was nothing to delete.
if kind(ledger) ~= 'hash' then return 0 end
local v = redis.call('HMGET', ledger, 'state', 'owner')
if v[1] ~= 'staging' or v[2] ~= owner then return 0 end
for _, name in ipairs(redis.call('HKEYS', staged)) do
  redis.call('DEL', chunk_prefix .. name)
end
redis.call('DEL', ledger, staged, message)
redis.call('ZREM', staging_jobs, job)
redis.call('ZREM', open_jobs, job)
return 1
