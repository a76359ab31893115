-- Removes tasks that a person deletes in our UI, and keeps their encodings so
-- that a worker counts their tokens as canceled. Sent again it finds them gone.
-- KEYS[1] hash of the lane's deleted tasks
-- KEYS[2] asynq's pending list  KEYS[3] … KEYS[5] its scheduled, retry and archived sets
-- KEYS[6] … the tasks
-- ARGV[1] … their ids, in the same order
-- Answers a list with 1 for each task that this call or an earlier one removed, else 0.
local out = {}
for i = 1, #ARGV do
  local id, key = ARGV[i], KEYS[5 + i]
  local task = redis.call('HMGET', key, 'state', 'msg')
  out[i] = 0
  if not task[1] then
    -- asynq itself may have left an id without a task.
    redis.call('LREM', KEYS[2], -1, id)
    for k = 3, 5 do redis.call('ZREM', KEYS[k], id) end
    out[i] = redis.call('HEXISTS', KEYS[1], id)
  elseif task[1] ~= 'active' then
    local removed = redis.call('LREM', KEYS[2], -1, id)
    for k = 3, 5 do removed = removed + redis.call('ZREM', KEYS[k], id) end
    if removed > 0 then
      redis.call('DEL', key)
      if task[2] then redis.call('HSET', KEYS[1], id, task[2]) end
      out[i] = 1
    end
  end
end
return out
