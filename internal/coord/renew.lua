-- Renews a key that is still ours.
--
-- KEYS
--  key    see take.lua
-- ARGV
--  me     who has it
--  life   ms until it ends by itself
-- Returns 1, or 0 if it is not ours.
if redis.call('GET', key) ~= me then return 0 end
return redis.call('PEXPIRE', key, life)
