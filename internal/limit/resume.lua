-- Ends the pause of a bucket, and with the whole a slow-down's too.
-- KEYS[1] the pauses' hash, see pause.lua  KEYS[2] the rate's hash, see lease.lua
-- ARGV[1] bucket  ARGV[2] now, µs; empty: Redis's own clock
-- Answers how many pauses ended.
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local quiet = tonumber(redis.call('HGET', KEYS[2], 'quiet') or 0)
if ARGV[1] == '' and quiet > now then
  redis.call('HSET', KEYS[2], 'quiet', string.format('%.0f', now), 'raised', string.format('%.0f', now))
end
return redis.call('HDEL', KEYS[1], ARGV[1])
