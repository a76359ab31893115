-- A vendor answers again: ends the stop whose probe that was, or the row of
-- failures before one. If probes had failed it was not the rate: then it climbs fast.
-- KEYS[1] the rate's hash, see lease.lua  KEYS[2] hash, see stop.lua
-- KEYS[3] hash of the codes that jobs got, see park.lua: the app is well, so they were about the jobs
-- ARGV[1] the probe, or ''  ARGV[2] what a second of success then adds to the factor
-- ARGV[3] ms to remember the row of stops  ARGV[4] now, µs; empty: Redis's own clock
-- Answers 1 when a stop ended.
local now = tonumber(ARGV[4])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local s = redis.call('HMGET', KEYS[2], 'kind', 'probe', 'row', 'failed')
if not s[1] then
  redis.call('HDEL', KEYS[2], 'faults')
  return 0
end
if ARGV[1] == '' or ARGV[1] ~= s[2] then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[2], 'calm', string.format('%.0f', now), 'row', s[3] or 0)
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'quiet', string.format('%.0f', now), 'raised', string.format('%.0f', now))
if tonumber(s[4] or 0) > 0 then
  redis.call('HSET', KEYS[1], 'climb', ARGV[2])
end
return 1
