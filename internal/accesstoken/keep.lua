-- Stores a granted token and releases the lock, if the lock is still ours.
--
-- KEYS
--  token     the token
--  lock      who asks the vendor
--  refusal   the vendor's last refusal
--  refusals  how many there were in a row
-- ARGV
--  me        our name in the lock
--  value     the token
--  left      ms left of its lifetime
-- Returns 1, or 0 when the lock was lost and nothing changed.
if redis.call('GET', lock) ~= me then return 0 end
redis.call('SET', token, value, 'PX', left)
redis.call('DEL', lock, refusal, refusals)
return 1
