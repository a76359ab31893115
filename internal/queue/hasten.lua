-- Makes a task that waits for its time due now, as asynq does when that time has
-- come.
--
-- Uses: task
-- KEYS
--  waiting  asynq's scheduled or retry set
--  task     asynq's task
--  list     asynq's pending list
-- ARGV
--  id       asynq's id of the task
--  nanos    now, Unix ns
-- Returns 1, or 0 if it does not wait there.
if redis.call('ZREM', waiting, id) == 0 then return 0 end
redis.call('LPUSH', list, id)
set_pending(task, nanos)
return 1
