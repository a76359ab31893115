-- Takes permits of one (app, vendor), or says how long to wait; gcra.go explains
-- the rule and is the same, operation by operation.
--
-- Uses: micros
-- KEYS
--  rate            hash: at, interval (see gcra.go); factor of the rate; quiet: when the last stop ends or
--                  ended, µs; raised: when the factor was last raised, µs; climb: what a second of success
--                  adds to it, if not the argument climb; normal:line, bulk:line: see place.lua, µs
-- ARGV
--  permits         permits a second
--  burst           the most permits that one request takes
--  take            permits to take
--  back            permits that are given back
--  high            1: high priority
--  succeeded       1: requests succeeded since the last call
--  pace            the part of the rate that is used
--  credit          how late a caller may come back without losing throughput, µs
--  yield           how much later than high priority others are granted, µs
--  climb           what a second of success adds to the factor
--  keep            ms to keep the hash when no worker uses it
--  now             µs; '': Redis's own clock
-- Returns {µs to wait, 0 when granted; factor}, as strings.
now = micros(now)
local h = redis.call('HMGET', rate, 'at', 'interval', 'factor', 'quiet', 'raised', 'climb', 'normal:line', 'bulk:line')
local at, before = tonumber(h[1] or 0), tonumber(h[2] or 0)
local factor, quiet, raised = tonumber(h[3] or 1), tonumber(h[4] or 0), tonumber(h[5] or 0)

if succeeded == '1' and quiet > 0 and now >= quiet then
  factor = math.min(1, factor + (h[6] or climb) * math.min(math.max(now - raised, 0), 1e6) / 1e6)
  redis.call('HSET', rate, 'factor', string.format('%.17g', factor), 'raised', whole(now))
end

local interval = 1e6 / (permits * factor * pace)
local line = math.max(tonumber(h[7] or 0), tonumber(h[8] or 0))
if at > now and before > 0 then
  at = now + (at - now) / before * interval
end
at = at - back * interval
local ahead = -yield
if high == '1' then
  ahead = math.max(burst - take, 0) * interval
end
local wait = math.ceil(at - (now + ahead))
if wait <= 0 then
  wait = 0
  at = math.max(at, now - credit) + take * interval
end
redis.call('HSET', rate, 'at', string.format('%.17g', at), 'interval', string.format('%.17g', interval))
redis.call('PEXPIRE', rate, whole(keep + math.max(0, math.ceil((math.max(at, line) - now) / 1000))))
return {whole(wait), string.format('%.17g', factor)}
