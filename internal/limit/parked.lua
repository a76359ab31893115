-- Returns how long each of some jobs is parked, and lets one request through whose
-- jobs are parked no longer: it shows whether they go on.
--
-- Uses: micros
-- KEYS
--  jobs          hash, see park.lua
--  forget        sorted set, see park.lua
-- ARGV
--  probe         a name for the probe; '': the caller does not ask to be one
--  bound number  ms to wait for its answer
--  again number  ms after which those who find a probe out ask again
--  now           µs; '': Redis's own clock
-- ARGV of each job
--  id            the job
-- Returns for each job: ms to wait; 0: it is not parked; -1: its wait is over, and the probe is this request.
now = micros(now)
local answer = {}
for i = 1, job_count do
  local id = job_at(i)
  local wait = 0
  local till, failed, out, name, code
  if tonumber(redis.call('ZSCORE', forget, id) or 0) > now then
    till, failed, out, name, code = string.match(redis.call('HGET', jobs, id) or '', '^(%d+) (%d+) (%d+) (%S+) (.*)$')
    till, out = tonumber(till), tonumber(out)
  end
  if till and now < till then
    wait = math.ceil((till - now) / 1000)
  elseif till and now < out and (name ~= probe or name == '-') then -- it is this caller's when the reply was lost
    wait = math.max(1, math.ceil(math.min(again, (out - now) / 1000)))
  elseif till then
    wait = -1
    if probe ~= '' then
      redis.call('HSET', jobs, id, whole(till) .. ' ' .. failed .. ' ' .. whole(now + bound * 1000) .. ' ' .. probe .. ' ' .. code)
    end
  end
  answer[i] = wait
end
return answer
