-- Resets the lines of requests that wait for permits, if permits went unused
-- for a second although the last in line has its time two seconds from now or later.
--
-- Uses: micros
-- KEYS
--  rate  hash: at (see block.lua); <class>:line, <class>:late (see place.lua)
-- ARGV
--  now   µs; '': Redis's own clock
-- Returns 1 if it did, else 0.
now = micros(now)
local h = redis.call('HMGET', rate, 'at', 'normal:line', 'bulk:line')
local line = math.max(tonumber(h[2] or 0), tonumber(h[3] or 0))
if now - tonumber(h[1] or 0) <= 1e6 or line - now < 2e6 then return 0 end
redis.call('HDEL', rate, 'normal:line', 'normal:late', 'bulk:line', 'bulk:late')
return 1
