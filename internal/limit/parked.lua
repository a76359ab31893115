-- Tells how long each of some jobs is parked, and lets one request through whose
-- jobs are parked no longer: it shows whether they go on.
-- KEYS[1] hash, KEYS[2] sorted set: see park.lua
-- ARGV[1] a name for the probe; '': nobody asks to be one  ARGV[2] ms to wait for its answer
-- ARGV[3] ms after which those who find a probe out ask again
-- ARGV[4] now, µs; empty: Redis's own clock
-- ARGV[5] … jobs
-- Answers for each job: ms to wait; 0: it is not parked; -1: its wait is over, and the probe is this request.
local now = tonumber(ARGV[4])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local answer = {}
for i = 5, #ARGV do
  local job, wait = ARGV[i], 0
  local forget = tonumber(redis.call('ZSCORE', KEYS[2], job) or 0)
  local till, failed, out, probe, code
  if forget > now then
    till, failed, out, probe, code = string.match(redis.call('HGET', KEYS[1], job) or '', '^(%d+) (%d+) (%d+) (%S+) (.*)$')
    till, out = tonumber(till), tonumber(out)
  end
  if till and now < till then
    wait = math.ceil((till - now) / 1000)
  elseif till and now < out and (probe ~= ARGV[1] or probe == '-') then -- its own when the reply was lost
    wait = math.max(1, math.ceil(math.min(tonumber(ARGV[3]), (out - now) / 1000)))
  elseif till then
    wait = -1
    if ARGV[1] ~= '' then
      redis.call('HSET', KEYS[1], job, string.format('%.0f', till) .. ' ' .. failed .. ' '
        .. string.format('%.0f', now + ARGV[2] * 1000) .. ' ' .. ARGV[1] .. ' ' .. code)
    end
  end
  answer[#answer + 1] = wait
end
return answer
