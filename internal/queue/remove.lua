-- Removes tasks that a person deletes in our UI, and keeps their encodings so that
-- a worker counts their tokens as canceled. Sent again it finds them gone.
--
-- KEYS
--  deleted    hash of the lane's deleted tasks
--  pending    asynq's pending list
--  scheduled  asynq's set of tasks that are due later
--  retry      asynq's set of tasks that were put back
--  archived   asynq's set of tasks that do not run again
-- KEYS of each task
--  task       asynq's task
-- ARGV of each task
--  id         asynq's id of the task
-- Returns a list with 1 for each task that this call or an earlier one removed, else 0.
local function remove(id)
  return redis.call('LREM', pending, -1, id) + redis.call('ZREM', scheduled, id)
    + redis.call('ZREM', retry, id) + redis.call('ZREM', archived, id)
end

local out = {}
for i = 1, task_count do
  local task, id = task_at(i)
  local v = redis.call('HMGET', task, 'state', 'msg')
  local state, msg = v[1], v[2]
  out[i] = 0
  if not state then
    -- asynq itself may have left an id without a task.
    remove(id)
    out[i] = redis.call('HEXISTS', deleted, id)
  elseif state ~= 'active' and remove(id) > 0 then
    redis.call('DEL', task)
    if msg then redis.call('HSET', deleted, id, msg) end
    out[i] = 1
  end
end
return out
