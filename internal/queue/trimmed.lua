-- Deletes a task that asynq trimmed from its archive: it would stay for ever.
-- KEYS[1] asynq task  KEYS[2] asynq archived
-- ARGV[1] asynq task id
-- Answers 1 if it was deleted, else 0.
if redis.call('HGET', KEYS[1], 'state') ~= 'archived' or redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])
