-- Stores a refusal and releases the lock, if the lock is still ours.
--
-- KEYS
--  lock      who asks the vendor
--  refusal   the vendor's last refusal
--  refusals  how many there were in a row
-- ARGV
--  me        our name in the lock
--  value     the refusal
--  wait      ms, over 0, during which nobody asks again
--  forget    ms after which the count is forgotten
-- Returns 1, or 0 when the lock was lost and nothing changed.
if redis.call('GET', lock) ~= me then return 0 end
redis.call('SET', refusal, value, 'PX', wait)
redis.call('INCR', refusals)
redis.call('PEXPIRE', refusals, forget)
redis.call('DEL', lock)
return 1
