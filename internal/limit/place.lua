-- Gives a request that has to wait for permits of one (app, vendor) a time of its
-- own: when it has its permits if all keep their times. It takes no permits. Sent
-- again it gives another time, and the first one stays unused.
--
-- Uses: micros
-- KEYS
--  rate            hash: at, interval, factor (see block.lua); of each class of requests, whose lines do not
--                  know each other: <class>:line, when the last that was given a time has its permits, µs;
--                  <class>:late, the same of those that had a time and found no room when it came;
--                  <class>:interval, µs per permit with which both were calculated
-- ARGV
--  permits         permits a second
--  class           of the request
--  needs           permits that it needs
--  before          permits that others of its worker wait for, and get before it
--  late            1: it had a time, which has come
--  pace            the part of the rate that is used
--  keep            ms to keep the hash when no worker uses it
--  now             µs; '': Redis's own clock
-- Returns the µs to wait, as a string.
now = micros(now)
local mine, other = class .. ':line', class .. ':late'
if late == '1' then mine, other = other, mine end
local h = redis.call('HMGET', rate, 'at', 'interval', 'factor', mine, class .. ':interval')
local interval = 1e6 / (permits * tonumber(h[3] or 1) * pace)
-- A time to come is so many permits away, whatever the rate is now.
local function scaled(at, of)
  at, of = tonumber(at or 0), tonumber(of or 0)
  if at <= now or of <= 0 then return at end
  return now + (at - now) / of * interval
end
local from = math.max(scaled(h[1], h[2]), now) + before * interval
from = math.max(from, scaled(h[4], h[5]))
local to = from + needs * interval
if tonumber(h[5] or interval) ~= interval then -- the other line was calculated with the old interval, too
  redis.call('HSET', rate, other, string.format('%.17g', scaled(redis.call('HGET', rate, other), h[5])))
end
redis.call('HSET', rate, mine, string.format('%.17g', to), class .. ':interval', string.format('%.17g', interval))
redis.call('PEXPIRE', rate, whole(math.max(redis.call('PTTL', rate), keep + math.max(0, math.ceil((to - now) / 1000)))))
return whole(math.ceil(from - now))
