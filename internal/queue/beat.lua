-- Renews the leases of the tasks that still belong to these runs.
--
-- KEYS
--  leases     asynq's set of the leases of tasks in work
-- KEYS of each task
--  task       asynq's task
-- ARGV
--  lease_end  when the leases end, Unix s
-- ARGV of each task
--  id         asynq's id of the task
--  run        the run
-- Returns the ids of the others.
local lost = {}
for i = 1, task_count do
  local task, id, run = task_at(i)
  if redis.call('HGET', task, 'run') == run then
    redis.call('ZADD', leases, 'XX', lease_end, id)
  else
    lost[#lost + 1] = id
  end
end
return lost
