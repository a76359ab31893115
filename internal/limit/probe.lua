-- Lets one request through when a stop's pause is over; all others wait for its answer.
--
-- Uses: micros
-- KEYS
--  stop           hash, see stop.lua
-- ARGV
--  probe          a name for the probe
--  bound number   ms to wait for its answer; then it is another's turn
--  first number   ms to wait at first before asking again
--  slow number    ms to wait, once the answer takes a second
--  now            µs; '': Redis's own clock
-- Returns {ms to wait; 1 when this request is the probe}.
now = micros(now)
local s = redis.call('HMGET', stop, 'kind', 'until', 'asked', 'out')
if not s[1] then return {0, 0} end
local till, asked, out = tonumber(s[2] or 0), tonumber(s[3] or 0), tonumber(s[4] or 0)
if now < till then return {math.ceil((till - now) / 1000), 0} end
if now < out then
  local wait = now - asked < 1e6 and first or slow
  return {math.ceil(math.min(wait, (out - now) / 1000)), 0}
end
redis.call('HSET', stop, 'probe', probe, 'asked', whole(now), 'out', whole(now + bound * 1000))
return {0, 1}
