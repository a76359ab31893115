-- Begins the lines of requests that wait for permits anew, if permits went unused
-- for a second although the last in line has its time two seconds from now or later.
-- KEYS[1] hash: at (see lease.lua); <class>:line, <class>:late (see place.lua)
-- ARGV[1] now, µs; empty: Redis's own clock
-- Answers 1 if it did.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local h = redis.call('HMGET', KEYS[1], 'at', 'normal:line', 'bulk:line')
local line = math.max(tonumber(h[2] or 0), tonumber(h[3] or 0))
if now - tonumber(h[1] or 0) <= 1e6 or line - now < 2e6 then return 0 end
redis.call('HDEL', KEYS[1], 'normal:line', 'normal:late', 'bulk:line', 'bulk:late')
return 1
