-- Enqueues a lost task again, unless it is there, a person deleted it, or nothing
-- is left of its chunk.
--
-- Uses: task
-- KEYS
--  task       asynq's task
--  list       asynq's pending list
--  open_work  the lane's index of open work
--  chunk      the chunk
--  deleted    hash of the lane's deleted tasks
-- ARGV
--  id         asynq's id of the task
--  msg        asynq's encoding of the task
--  nanos      now, Unix ns
--  member     the chunk's member of the index of open work
-- Returns 1 if it was enqueued, else 0.
if not redis.call('ZSCORE', open_work, member) or redis.call('EXISTS', chunk) == 0 then return 0 end
if redis.call('EXISTS', task) == 1 or redis.call('HEXISTS', deleted, id) == 1 then return 0 end
push_task(task, list, id, msg, nanos)
return 1
