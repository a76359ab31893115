-- Deletes a task that asynq trimmed from its archive: it would stay for ever.
--
-- KEYS
--  task      asynq's task
--  archived  asynq's set of tasks that do not run again
-- ARGV
--  id        asynq's id of the task
-- Returns 1 if it was deleted, else 0.
if redis.call('HGET', task, 'state') ~= 'archived' or redis.call('ZSCORE', archived, id) then return 0 end
return redis.call('DEL', task)
