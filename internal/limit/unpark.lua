-- Ends the parking of jobs whose probe was answered, or gives the probe back.
--
-- KEYS
--  jobs    hash, see park.lua
--  forget  sorted set, see park.lua
-- ARGV
--  probe   its name
--  well    1: the jobs go on; 0: the probe was not made, or its answer says nothing of them
-- ARGV of each job
--  id      the job
-- Returns for how many jobs it was the probe.
local n = 0
for i = 1, job_count do
  local id = job_at(i)
  local till, failed, name, code = string.match(redis.call('HGET', jobs, id) or '', '^(%d+) (%d+) %d+ (%S+) (.*)$')
  if name == probe then
    n = n + 1
    if well == '1' then
      redis.call('HDEL', jobs, id)
      redis.call('ZREM', forget, id)
    else
      redis.call('HSET', jobs, id, till .. ' ' .. failed .. ' 0 - ' .. code)
    end
  end
end
return n
