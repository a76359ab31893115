-- Pauses a bucket, unless it is paused for longer already.
--
-- Uses: micros
-- KEYS
--  pauses         hash: bucket ('' for the whole app and vendor) to "<end, µs on Redis's clock> <reason>"
-- ARGV
--  bucket         the bucket
--  length number  ms, over 0
--  reason         for people
--  now            µs; '': Redis's own clock
-- Returns 1, or 0 when it was paused for as long but for a second, by which clocks may differ.
local till = micros(now) + length * 1000
local old = redis.call('HGET', pauses, bucket)
if old and tonumber(string.match(old, '^%d+') or 0) >= till - 1e6 then return 0 end
redis.call('HSET', pauses, bucket, whole(till) .. ' ' .. reason)
if redis.call('PTTL', pauses) < length then redis.call('PEXPIRE', pauses, whole(length)) end
return 1
