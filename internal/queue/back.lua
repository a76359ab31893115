-- Puts a task back that was taken and not begun: to the front of its lane, or among
-- those that wait for their time.
--
-- KEYS
--  active   asynq's list of tasks in work
--  leases   asynq's set of the leases of tasks in work
--  task     asynq's task
--  target   asynq's pending list, or its retry set
-- ARGV
--  id       asynq's id of the task
--  run      the run that took it
--  due      Unix s; 0: now
-- Returns 0 if it is no longer this run's, or was put back before, else 1.
if redis.call('HGET', task, 'run') ~= run then return 0 end
redis.call('HDEL', task, 'run')
redis.call('LREM', active, 0, id)
redis.call('ZREM', leases, id)
if due == '0' then
  redis.call('RPUSH', target, id)
  redis.call('HSET', task, 'state', 'pending')
else
  redis.call('ZADD', target, due, id)
  redis.call('HSET', task, 'state', 'retry')
end
return 1
