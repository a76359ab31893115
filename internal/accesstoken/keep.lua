-- Stores a granted token and lets go of the lock, if the lock is still ours.
-- KEYS[1] token  KEYS[2] lock  KEYS[3] refusal  KEYS[4] refusals in a row
-- ARGV[1] our name in the lock  ARGV[2] token  ARGV[3] ms left of its lifetime
-- Answers 1, or 0 when the lock was lost and nothing changed.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return 1
