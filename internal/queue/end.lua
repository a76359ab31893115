-- Ends a run that a worker did not end itself: the task is due again, now or later,
-- or is archived. The run stays in the task until the next one begins, so that this
-- script gives the same answer when it is sent again.
--
-- Uses: task
-- KEYS
--  active    asynq's list of tasks in work
--  leases    asynq's set of the leases of tasks in work
--  task      asynq's task
--  pending   asynq's pending list
--  retry     asynq's set of tasks that were put back
--  archived  asynq's set of tasks that do not run again
-- ARGV
--  id        asynq's id of the task
--  run       the run
--  crashed   1: the run crashed
--  now       Unix s
--  nanos     now, Unix ns
--  due       when the task is due, Unix s; 0: now
--  reason    what is added to the task's encoding to archive it; '': it is not archived
-- Returns the crashes in a row, or -1 if the task is no longer this run's.
if redis.call('HGET', task, 'run') ~= run then return -1 end
local crashes = tonumber(redis.call('HGET', task, 'crashes') or 0)
if redis.call('ZREM', leases, id) == 0 then return crashes end
redis.call('LREM', active, 0, id)
if crashed == '1' then crashes = redis.call('HINCRBY', task, 'crashes', 1) end
if reason ~= '' then
  redis.call('ZADD', archived, now, id)
  redis.call('HSET', task, 'state', 'archived', 'msg', redis.call('HGET', task, 'msg') .. reason)
elseif due ~= '0' then
  redis.call('ZADD', retry, due, id)
  redis.call('HSET', task, 'state', 'retry')
else
  redis.call('RPUSH', pending, id)
  set_pending(task, nanos)
end
return crashes
