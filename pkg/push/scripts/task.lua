-- Enqueues one task of a sealed job, unless it exists.
--
-- Uses: enqueue
-- KEYS
--  task             asynq's task
--  list             asynq's pending list, or its scheduled set
--  turns            see enqueue in wire/prelude
--  open_work        the lane's index of open work
--  chunk            the chunk
-- ARGV
--  id               asynq's id of the task
--  msg              asynq's encoding of the task
--  nanos            now, Unix ns
--  due              Unix s; 0: now
--  app              the app, for its turn; '': the task does not go ahead of others
--  member           the chunk's member of the index of open work
--  score            when the job expires, Unix s
-- Returns 1, or 0 if the chunk is finished.
if redis.call('EXISTS', chunk) == 0 then return 0 end
enqueue(task, list, turns, id, msg, nanos, due, app)
redis.call('ZADD', open_work, score, member)
return 1
