-- Gives a request that has to wait for permits of one (app, vendor) a time of its
-- own: when it has its permits if all keep their times. It takes no permits. Sent
-- again it gives another time, and the first one stays empty.
-- KEYS[1] hash: at, interval, factor, line (below; see lease.lua);
--   late: the same as line for those that had a time, and found no room when it came
-- ARGV[1] permits a second  ARGV[2] permits that it needs
-- ARGV[3] permits that others of its worker wait for, and get before it
-- ARGV[4] 1: it had a time, which has come  ARGV[5] pace (see gcra.go)
-- ARGV[6] ms to keep the hash when idle  ARGV[7] now, µs; empty: Redis's own clock
-- line is when the last of those that were given a time has its permits, µs.
-- Answers the µs to wait, as a string.
local now = tonumber(ARGV[7])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local h = redis.call('HMGET', KEYS[1], 'at', 'interval', 'factor', 'line', 'late')
local at, before, line, late = tonumber(h[1] or 0), tonumber(h[2] or 0), tonumber(h[4] or 0), tonumber(h[5] or 0)
local interval = 1e6 / (ARGV[1] * tonumber(h[3] or 1) * ARGV[5])
if before > 0 then
  if at > now then at = now + (at - now) / before * interval end
  if line > now then line = now + (line - now) / before * interval end
  if late > now then late = now + (late - now) / before * interval end
end
local mine = math.max(at, now) + ARGV[3] * interval
if ARGV[4] == '1' then
  mine = math.max(mine, late)
  late = mine + ARGV[2] * interval
else
  mine = math.max(mine, line)
  line = mine + ARGV[2] * interval
end
redis.call('HSET', KEYS[1], 'at', string.format('%.17g', at), 'interval', string.format('%.17g', interval),
  'line', string.format('%.17g', line), 'late', string.format('%.17g', late))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[6] + math.max(0, math.ceil((math.max(at, line) - now) / 1000))))
return string.format('%.0f', math.ceil(mine - now))
