-- Lists the open work of a chunk of which no step was recorded since it was loaded.
-- KEYS[1] chunk  KEYS[2] open work  KEYS[3] the chunk's jobs
-- ARGV[1] generation as loaded, 4 bytes  ARGV[2] member of the open work  ARGV[3] its score  ARGV[4] the chunk's jobs, or ''
-- Answers 1 if it is listed, else 0.
if redis.call('GETRANGE', KEYS[1], 2, 5) ~= ARGV[1] then return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4])
  local life = redis.call('PTTL', KEYS[1])
  if life > 0 then redis.call('PEXPIRE', KEYS[3], life) end
end
return 1
