-- Remembers a refusal and lets go of the lock, if the lock is still ours.
-- KEYS[1] lock  KEYS[2] refusal  KEYS[3] refusals in a row
-- ARGV[1] our name in the lock  ARGV[2] refusal  ARGV[3] ms during which nobody asks again, over 0
-- ARGV[4] ms until the count is forgotten
-- Answers 1, or 0 when the lock was lost and nothing changed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('INCR', KEYS[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('DEL', KEYS[1])
return 1
