-- Reads all pauses of one (app, vendor), those that ended included, its stop and its rate.
-- KEYS[1] the pauses' hash, see pause.lua  KEYS[2] the stop's hash, see stop.lua
-- KEYS[3] the rate's hash, see lease.lua
-- ARGV[1] now, µs; empty: Redis's own clock
-- Answers {now, factor, kind, until, reason, failed, since, out, faults; bucket, value, bucket, value …}, as strings.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local all = {string.format('%.0f', now), redis.call('HGET', KEYS[3], 'factor') or ''}
for _, v in ipairs(redis.call('HMGET', KEYS[2], 'kind', 'until', 'reason', 'failed', 'since', 'out', 'faults')) do
  all[#all + 1] = v or ''
end
for _, v in ipairs(redis.call('HGETALL', KEYS[1])) do
  all[#all + 1] = v
end
return all
