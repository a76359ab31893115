-- Reads all pauses of one (app, vendor), ended ones included, its stop, its rate and
-- its parked jobs.
--
-- Uses: micros
-- KEYS
--  pauses  hash, see pause.lua
--  stop    hash, see stop.lua
--  rate    hash, see block.lua
--  jobs    hash of parked jobs, see park.lua
--  forget  sorted set of parked jobs, see park.lua
-- ARGV
--  now     µs; '': Redis's own clock
--  most    how many parked jobs are named at most
-- Returns {now, factor, kind, until, reason, failed, since, out, faults; how many jobs are parked, how many are named;
-- job, value, job, value …; bucket, value, bucket, value …}, as strings.
now = whole(micros(now))
local all = {now, redis.call('HGET', rate, 'factor') or ''}
for _, v in ipairs(redis.call('HMGET', stop, 'kind', 'until', 'reason', 'failed', 'since', 'out', 'faults')) do
  all[#all + 1] = v or ''
end
local named = {}
local parked = redis.call('ZCOUNT', forget, '(' .. now, '+inf')
if parked > 0 then named = redis.call('ZRANGEBYSCORE', forget, '(' .. now, '+inf', 'LIMIT', 0, most) end
all[#all + 1] = tostring(parked)
all[#all + 1] = tostring(#named)
for _, job in ipairs(named) do
  all[#all + 1] = job
  all[#all + 1] = redis.call('HGET', jobs, job) or ''
end
for _, v in ipairs(redis.call('HGETALL', pauses)) do
  all[#all + 1] = v
end
return all
