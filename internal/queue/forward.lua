-- Moves the tasks that are due to the lane's pending list, as asynq's own script
-- does. One that has waited its turn goes ahead of a backlog.
--
-- Uses: ahead, task
-- KEYS
--  waiting        asynq's scheduled or retry set
--  list           asynq's pending list
--  turns          see ahead in wire/prelude
-- ARGV
--  now            Unix s
--  nanos          now, Unix ns
--  task_prefix    what the keys of tasks begin with
--  most           how many tasks are moved at most
--  ask            1: return when the next one is due
-- Returns how many tasks were moved, and when the next one is due (Unix s, '' for none or not asked).
local ids = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local task = task_prefix .. id
  redis.call('ZREM', waiting, id)
  local promised = redis.call('HDEL', task, 'promised') == 1
  if not (promised and redis.call('LLEN', list) >= 32 and ahead(turns, list, id)) then
    redis.call('LPUSH', list, id)
  end
  if redis.call('EXISTS', task) == 1 then set_pending(task, nanos) end
end
local first = ask == '1' and redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES') or {}
return {#ids, first[2] or ''}
