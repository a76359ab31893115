-- Takes a key that nobody has. Sent again after its reply was lost, it says again
-- that the key is ours.
--
-- KEYS
--  key    the lock, the leadership or the turn
-- ARGV
--  me     who takes it
--  life   ms until it ends by itself
-- Returns 1 if the key is ours, else 0.
if redis.call('SET', key, me, 'NX', 'PX', life) then return 1 end
if redis.call('GET', key) == me then return 1 end
return 0
