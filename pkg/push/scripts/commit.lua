-- Ends an enqueue: all tasks exist. A job whose chunks have all been finished
-- meanwhile ends here.
--
-- Uses: kind, balance
-- KEYS
--  ledger               the job's ledger
--  staged               hash of the job's chunks
--  message              the job's message
--  staging_jobs         sorted set of the jobs that are being enqueued in parts
-- ARGV
--  now                  Unix s
--  keep_at_least number  s to keep an ended ledger
--  owner                who completes the job
--  job                  the job's id
-- Returns 'ok', or 'duplicate' if another sender was first.
if kind(ledger) ~= 'hash' then return 'duplicate' end
local v = redis.call('HMGET', ledger, 'state', 'digest', 'owner')
if not v[2] then return v[3] == owner and 'ok' or 'duplicate' end
if v[1] ~= 'sealed' and v[1] ~= 'canceled' then return 'duplicate' end
redis.call('ZREM', staging_jobs, job)
redis.call('DEL', staged)
redis.call('HDEL', ledger, 'digest')
redis.call('HSET', ledger, 'owner', owner)
if v[1] == 'sealed' then redis.call('HSET', ledger, 'state', 'running') end
local pending, state, keep = balance(ledger)
if pending == 0 then finish(ledger, message, state, now, keep, keep_at_least) end
return 'ok'
