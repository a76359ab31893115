-- A vendor answers again: ends the stop whose probe was answered, or the row of
-- failures before a stop. If probes had failed it was not the rate: then it climbs fast.
--
-- Uses: micros
-- KEYS
--  rate   hash, see block.lua
--  stop   hash, see stop.lua
--  codes  hash of the codes that jobs got, see park.lua: the app is well, so they were about the jobs
-- ARGV
--  probe  the request's name as a probe; '': it was not a probe
--  climb  what a second of success then adds to the factor
--  keep   ms to remember the row of stops
--  now    µs; '': Redis's own clock
-- Returns 1 when a stop ended, else 0.
local s = redis.call('HMGET', stop, 'kind', 'probe', 'row', 'failed')
if not s[1] then
  redis.call('HDEL', stop, 'faults')
  return 0
end
if probe == '' or probe ~= s[2] then return 0 end
now = whole(micros(now))
redis.call('DEL', stop, codes)
redis.call('HSET', stop, 'calm', now, 'row', s[3] or 0)
redis.call('PEXPIRE', stop, keep)
redis.call('HSET', rate, 'quiet', now, 'raised', now)
if tonumber(s[4] or 0) > 0 then redis.call('HSET', rate, 'climb', climb) end
return 1
