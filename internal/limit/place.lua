-- Gives a request that has to wait for permits of one (app, vendor) a time of its
-- own: when it has its permits if all keep their times. It takes no permits. Sent
-- again it gives another time, and the first one stays empty.
-- KEYS[1] hash: at, interval, factor (see lease.lua); of each class of requests, whose
--   lines do not know each other: <class>:line, when the last that was given a time has
--   its permits, µs; <class>:late, the same of those that had a time and found no room
--   when it came; <class>:interval, µs per permit with which both were reckoned
-- ARGV[1] permits a second  ARGV[2] class  ARGV[3] permits that it needs
-- ARGV[4] permits that others of its worker wait for, and get before it
-- ARGV[5] 1: it had a time, which has come  ARGV[6] pace (see gcra.go)
-- ARGV[7] ms to keep the hash when idle  ARGV[8] now, µs; empty: Redis's own clock
-- Answers the µs to wait, as a string.
local now = tonumber(ARGV[8])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local mine = ARGV[5] == '1' and ARGV[2] .. ':late' or ARGV[2] .. ':line'
local h = redis.call('HMGET', KEYS[1], 'at', 'interval', 'factor', mine, ARGV[2] .. ':interval')
local interval = 1e6 / (ARGV[1] * tonumber(h[3] or 1) * ARGV[6])
-- A time to come is so many permits away, whatever the rate is now.
local function scaled(at, before)
  at, before = tonumber(at or 0), tonumber(before or 0)
  if at <= now or before <= 0 then return at end
  return now + (at - now) / before * interval
end
local from = math.max(scaled(h[1], h[2]), now) + ARGV[4] * interval
from = math.max(from, scaled(h[4], h[5]))
local to = from + ARGV[3] * interval
if tonumber(h[5] or interval) ~= interval then -- the other one was reckoned with the old interval, too
  local other = ARGV[5] == '1' and ARGV[2] .. ':line' or ARGV[2] .. ':late'
  redis.call('HSET', KEYS[1], other, string.format('%.17g', scaled(redis.call('HGET', KEYS[1], other), h[5])))
end
redis.call('HSET', KEYS[1], mine, string.format('%.17g', to), ARGV[2] .. ':interval', string.format('%.17g', interval))
local ttl = math.max(redis.call('PTTL', KEYS[1]), ARGV[7] + math.max(0, math.ceil((to - now) / 1000)))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
return string.format('%.0f', math.ceil(from - now))
