-- Takes permits of one (app, vendor), or says how long to wait; gcra.go explains
-- the rule and is the same, operation by operation.
-- KEYS[1] hash: at, interval (see gcra.go); factor of the rate;
--   quiet: when the last stop ends or ended, µs; raised: when the factor was last raised, µs;
--   climb: what a second of success adds to it, if not ARGV[10];
--   normal:line, bulk:line: see place.lua, µs
-- ARGV[1] permits a second  ARGV[2] burst  ARGV[3] permits to take  ARGV[4] permits given back
-- ARGV[5] 1: high priority  ARGV[6] 1: requests succeeded since the last call
-- ARGV[7] pace  ARGV[8] credit, µs  ARGV[9] yield, µs
-- ARGV[10] what a second of success adds to the factor  ARGV[11] ms to keep the hash when idle
-- ARGV[12] now, µs; empty: Redis's own clock
-- Answers {µs to wait, 0 when granted; factor}, as strings.
local now = tonumber(ARGV[12])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local h = redis.call('HMGET', KEYS[1], 'at', 'interval', 'factor', 'quiet', 'raised', 'climb', 'normal:line', 'bulk:line')
local at, before = tonumber(h[1] or 0), tonumber(h[2] or 0)
local factor, quiet, raised = tonumber(h[3] or 1), tonumber(h[4] or 0), tonumber(h[5] or 0)

if ARGV[6] == '1' and quiet > 0 and now >= quiet then
  factor = math.min(1, factor + (h[6] or ARGV[10]) * math.min(math.max(now - raised, 0), 1e6) / 1e6)
  redis.call('HSET', KEYS[1], 'factor', string.format('%.17g', factor), 'raised', string.format('%.0f', now))
end

local take = tonumber(ARGV[3])
local interval = 1e6 / (ARGV[1] * factor * ARGV[7])
local line = math.max(tonumber(h[7] or 0), tonumber(h[8] or 0))
if at > now and before > 0 then
  at = now + (at - now) / before * interval
end
at = at - ARGV[4] * interval
local ahead = -ARGV[9]
if ARGV[5] == '1' then
  ahead = math.max(ARGV[2] - take, 0) * interval
end
local wait = math.ceil(at - (now + ahead))
if wait <= 0 then
  wait = 0
  at = math.max(at, now - ARGV[8]) + take * interval
end
redis.call('HSET', KEYS[1], 'at', string.format('%.17g', at), 'interval', string.format('%.17g', interval))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[11] + math.max(0, math.ceil((math.max(at, line) - now) / 1000))))
return {string.format('%.0f', wait), string.format('%.17g', factor)}
