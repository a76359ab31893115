-- Takes a key that nobody has. Sent again after its reply was lost, it says
-- again that the key is ours.
-- KEYS[1] the key
-- ARGV[1] who we are  ARGV[2] its life, ms
-- Answers 1 if the key is ours, else 0.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
