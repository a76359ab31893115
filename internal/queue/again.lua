-- Enqueues a lost task again, unless it is there, a person deleted it, or
-- nothing is left of its chunk.
-- KEYS[1] asynq task  KEYS[2] asynq pending  KEYS[3] asynq archived  KEYS[4] open work
-- KEYS[5] chunk  KEYS[6] hash of the lane's deleted tasks
-- ARGV[1] asynq task id  ARGV[2] asynq task  ARGV[3] now, ns  ARGV[4] member of the open work
-- Answers 1 if it was enqueued, else 0.
if not redis.call('ZSCORE', KEYS[4], ARGV[4]) or redis.call('EXISTS', KEYS[5]) == 0 then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HEXISTS', KEYS[6], ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'msg', ARGV[2], 'state', 'pending', 'pending_since', ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
