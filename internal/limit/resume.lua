-- Ends the pause of a bucket, and with the whole a stop and parked jobs too.
-- KEYS[1] the pauses' hash, see pause.lua  KEYS[2] the rate's hash, see lease.lua
-- KEYS[3] the stop's hash, see stop.lua  KEYS[4], KEYS[5], KEYS[6] the parked jobs', see park.lua
-- ARGV[1] bucket  ARGV[2] now, µs; empty: Redis's own clock
-- Answers how many pauses, stops and parked jobs ended.
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local ended = redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[1] == '' and redis.call('HEXISTS', KEYS[3], 'kind') == 1 then
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[2], 'quiet', string.format('%.0f', now), 'raised', string.format('%.0f', now))
  ended = ended + 1
end
if ARGV[1] == '' then
  ended = ended + redis.call('HLEN', KEYS[4])
  redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
end
return ended
