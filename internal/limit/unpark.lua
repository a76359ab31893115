-- Ends the parking of jobs whose probe was answered, or gives the probe back.
-- KEYS[1] hash, KEYS[2] sorted set: see park.lua
-- ARGV[1] the probe  ARGV[2] 1: the jobs go on; 0: the probe was not made, or its answer says nothing of them
-- ARGV[3] … jobs
-- Answers for how many jobs it was the probe.
local n = 0
for i = 3, #ARGV do
  local job = ARGV[i]
  local till, failed, probe, code = string.match(redis.call('HGET', KEYS[1], job) or '', '^(%d+) (%d+) %d+ (%S+) (.*)$')
  if probe == ARGV[1] then
    n = n + 1
    if ARGV[2] == '1' then
      redis.call('HDEL', KEYS[1], job)
      redis.call('ZREM', KEYS[2], job)
    else
      redis.call('HSET', KEYS[1], job, till .. ' ' .. failed .. ' 0 - ' .. code)
    end
  end
end
return n
