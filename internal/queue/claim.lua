-- Claims a task whose lease is still the one that was seen. The lease moves on, so
-- no other reaper claims it too.
--
-- KEYS
--  leases     asynq's set of the leases of tasks in work
--  active     asynq's list of tasks in work
--  task       asynq's task
-- ARGV
--  id         asynq's id of the task
--  seen       the end of the lease that was seen, Unix s; '': there was none
--  run        the reaper's run
--  lease_end  when the new lease ends, Unix s
-- Returns 1 if the task is the reaper's, now or before, else 0.
if redis.call('HGET', task, 'run') == run then return 1 end
local score = redis.call('ZSCORE', leases, id)
if (score or '') ~= seen and (not score or tonumber(score) ~= tonumber(seen)) then return 0 end
if redis.call('HEXISTS', task, 'msg') == 0 then
  redis.call('LREM', active, 0, id)
  redis.call('ZREM', leases, id)
  return 0
end
if redis.call('HGET', task, 'state') ~= 'active' and not redis.call('LPOS', active, id) then
  redis.call('ZREM', leases, id)
  return 0
end
redis.call('ZADD', leases, lease_end, id)
redis.call('HSET', task, 'run', run)
return 1
