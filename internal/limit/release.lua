-- Takes back a probe that was not made: the next one may be made at once.
--
-- KEYS
--  stop   hash, see stop.lua
-- ARGV
--  probe  its name
-- Returns how many fields were removed.
if redis.call('HGET', stop, 'probe') ~= probe then return 0 end
return redis.call('HDEL', stop, 'probe', 'asked', 'out')
