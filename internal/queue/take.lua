-- Takes tasks from a lane as asynq's own script takes one, and writes down whose
-- they are. Ids whose task was deleted are dropped.
--
-- KEYS
--  pending      asynq's pending list
--  paused       exists while an operator pauses the queue
--  active       asynq's list of tasks in work
--  leases       asynq's set of the leases of tasks in work
-- ARGV
--  lease_end    when the leases end, Unix s
--  task_prefix  what the keys of tasks begin with
--  run          the run that takes them
--  most number  how many are taken at most
-- Returns of each task: id, encoding.
local all = {}
if redis.call('EXISTS', paused) == 1 then return all end
for _ = 1, most do
  local id = redis.call('RPOPLPUSH', pending, active)
  if not id then break end
  local task = task_prefix .. id
  local msg = redis.call('HGET', task, 'msg')
  if msg then
    redis.call('HSET', task, 'state', 'active', 'run', run)
    redis.call('HDEL', task, 'pending_since')
    redis.call('ZADD', leases, lease_end, id)
    all[#all + 1] = id
    all[#all + 1] = msg
  else
    redis.call('LREM', active, 1, id)
  end
end
return all
