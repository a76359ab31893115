-- Reads all pauses of one (app, vendor), those that ended included, its stop, its rate and its parked jobs.
-- KEYS[1] the pauses' hash, see pause.lua  KEYS[2] the stop's hash, see stop.lua
-- KEYS[3] the rate's hash, see lease.lua  KEYS[4] the parked jobs' hash, KEYS[5] their sorted set, see park.lua
-- ARGV[1] now, µs; empty: Redis's own clock  ARGV[2] the most parked jobs to name
-- Answers {now, factor, kind, until, reason, failed, since, out, faults; how many jobs are parked, how many are named;
--   job, value, job, value …; bucket, value, bucket, value …}, as strings.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local all = {string.format('%.0f', now), redis.call('HGET', KEYS[3], 'factor') or ''}
for _, v in ipairs(redis.call('HMGET', KEYS[2], 'kind', 'until', 'reason', 'failed', 'since', 'out', 'faults')) do
  all[#all + 1] = v or ''
end
local named = {}
local parked = redis.call('ZCOUNT', KEYS[5], '(' .. string.format('%.0f', now), '+inf')
if parked > 0 then
  named = redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. string.format('%.0f', now), '+inf', 'LIMIT', 0, ARGV[2])
end
all[#all + 1] = tostring(parked)
all[#all + 1] = tostring(#named)
for _, job in ipairs(named) do
  all[#all + 1] = job
  all[#all + 1] = redis.call('HGET', KEYS[4], job) or ''
end
for _, v in ipairs(redis.call('HGETALL', KEYS[1])) do
  all[#all + 1] = v
end
return all
