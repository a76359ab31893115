-- Takes back a probe that was not made: the next one may be at once.
-- KEYS[1] hash, see stop.lua
-- ARGV[1] the probe
-- Answers how many fields went.
if redis.call('HGET', KEYS[1], 'probe') ~= ARGV[1] then
  return 0
end
return redis.call('HDEL', KEYS[1], 'probe', 'asked', 'out')
