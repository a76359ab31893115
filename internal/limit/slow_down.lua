-- A vendor says "too fast": pauses the (app, vendor) and halves its rate. While
-- that pause lasts, more such answers are those of requests sent before it, and
-- only a later Retry-After counts.
-- KEYS[1] the rate's hash, see lease.lua  KEYS[2] the pauses' hash, see pause.lua
-- ARGV[1] the vendor's Retry-After, ms; 0: none
-- ARGV[2] pause of the first slow-down, ms; doubled by each in a row  ARGV[3] the longest, ms
-- ARGV[4] smallest factor  ARGV[5] ms to keep the hash when idle  ARGV[6] reason
-- ARGV[7] now, µs; empty: Redis's own clock
-- Answers {ms left of the pause, slow-downs in a row}.
local now = tonumber(ARGV[7])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local h = redis.call('HMGET', KEYS[1], 'factor', 'fails', 'quiet')
local factor, fails, quiet = tonumber(h[1] or 1), tonumber(h[2] or 0), tonumber(h[3] or 0)
local hold = tonumber(ARGV[1])
if now >= quiet then
  if hold == 0 then
    hold = math.min(ARGV[2] * 2 ^ math.min(fails, 30), ARGV[3])
  end
  fails = fails + 1
  factor = math.max(factor / 2, ARGV[4])
end
if now + hold * 1000 > quiet then
  quiet = now + hold * 1000
end
local left = math.ceil((quiet - now) / 1000)
redis.call('HSET', KEYS[1], 'factor', string.format('%.17g', factor), 'fails', fails,
  'quiet', string.format('%.0f', quiet), 'raised', string.format('%.0f', quiet))
if redis.call('PTTL', KEYS[1]) < ARGV[5] + left then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[5] + left))
end
local old = redis.call('HGET', KEYS[2], '')
if not old or tonumber(string.match(old, '^%d+') or 0) < quiet then
  redis.call('HSET', KEYS[2], '', string.format('%.0f %s', quiet, ARGV[6]))
  if redis.call('PTTL', KEYS[2]) < left then
    redis.call('PEXPIRE', KEYS[2], left)
  end
end
return {left, fails}
