-- Ends the pause of a bucket; that of the whole app and vendor together with its
-- stop and its parked jobs.
--
-- Uses: micros
-- KEYS
--  pauses  hash, see pause.lua
--  rate    hash, see block.lua
--  stop    hash, see stop.lua
--  jobs    hash of parked jobs, see park.lua
--  forget  sorted set of parked jobs, see park.lua
--  codes   hash of codes, see park.lua
-- ARGV
--  bucket  the bucket; '': the whole app and vendor
--  now     µs; '': Redis's own clock
-- Returns how many pauses, stops and parked jobs ended.
local ended = redis.call('HDEL', pauses, bucket)
if bucket ~= '' then return ended end
if redis.call('HEXISTS', stop, 'kind') == 1 then
  now = whole(micros(now))
  redis.call('DEL', stop)
  redis.call('HSET', rate, 'quiet', now, 'raised', now)
  ended = ended + 1
end
ended = ended + redis.call('HLEN', jobs)
redis.call('DEL', jobs, forget, codes)
return ended
