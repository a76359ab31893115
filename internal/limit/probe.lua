-- Lets one request through where a stop's pause is over; all others wait for its answer.
-- KEYS[1] hash, see stop.lua
-- ARGV[1] a name for the probe  ARGV[2] ms to wait for its answer; then it is another's turn
-- ARGV[3] ms to wait at first before asking again  ARGV[4] ms, once the answer takes a second
-- ARGV[5] now, µs; empty: Redis's own clock
-- Answers {ms to wait; 1 when this request is the probe}.
local now = tonumber(ARGV[5])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local s = redis.call('HMGET', KEYS[1], 'kind', 'until', 'asked', 'out')
if not s[1] then
  return {0, 0}
end
local till, asked, out = tonumber(s[2] or 0), tonumber(s[3] or 0), tonumber(s[4] or 0)
if now < till then
  return {math.ceil((till - now) / 1000), 0}
end
if now < out then
  local wait = tonumber(now - asked < 1e6 and ARGV[3] or ARGV[4])
  return {math.ceil(math.min(wait, (out - now) / 1000)), 0}
end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'asked', string.format('%.0f', now),
  'out', string.format('%.0f', now + ARGV[2] * 1000))
return {0, 1}
