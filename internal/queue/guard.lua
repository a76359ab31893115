-- Precedes each script with which asynq ends a run (done, complete, retry, archive,
-- requeue): it does nothing for a task that is no longer this run's. Sent again
-- after its reply was lost, it does nothing either. A run that ends like this was
-- no crash, so the crashes before it no longer count.
--
-- KEYS and ARGV are asynq's, so this part finds its own values by their place from
-- the end: 1 for a task that goes ahead of a backlog when it comes again, the index
-- of the task's key, and the run.
local guarded = KEYS[tonumber(ARGV[#ARGV - 1])]
if redis.call('HGET', guarded, 'run') ~= ARGV[#ARGV] then
  return redis.status_reply('LOST')
end
redis.call('HDEL', guarded, 'run', 'crashes', 'promised')
if ARGV[#ARGV - 2] == '1' then redis.call('HSET', guarded, 'promised', 1) end
