-- Pauses a bucket, unless it is paused for longer already.
-- KEYS[1] hash: bucket ('' for the whole app and vendor) → "<end, µs on Redis's clock> <reason>"
-- ARGV[1] bucket  ARGV[2] ms, over 0  ARGV[3] reason  ARGV[4] now, µs; empty: Redis's own clock
-- Answers 1, or 0 when it was paused for as long but for a second, by which clocks may differ.
local now = tonumber(ARGV[4])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local till = now + ARGV[2] * 1000
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and tonumber(string.match(old, '^%d+') or 0) >= till - 1e6 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', till, ARGV[3]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
