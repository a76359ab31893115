-- Deletes a key that still has a value: a lock that is still ours, or what
-- nobody has replaced.
--
-- KEYS
--  key    the key
-- ARGV
--  value  what it has to have
-- Returns how many keys were deleted.
if redis.call('GET', key) ~= value then return 0 end
return redis.call('DEL', key)
