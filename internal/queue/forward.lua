-- Has the tasks that are due worked, as asynq's own script does. One that waited
-- its turn goes ahead of a backlog.
-- KEYS[1] scheduled or retry  KEYS[2] pending  KEYS[3] turns
-- ARGV[1] now, Unix s  ARGV[2] now, Unix ns  ARGV[3] what task keys begin with  ARGV[4] the most tasks
-- ARGV[5] 1: tell when the next one is due
-- Returns how many became due, and when the next one is (Unix s, "" for none or not asked).
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4])
for _, id in ipairs(ids) do
  local task = ARGV[3] .. id
  redis.call('ZREM', KEYS[1], id)
  local promised = redis.call('HDEL', task, 'promised') == 1
  if not (promised and redis.call('LLEN', KEYS[2]) >= 32 and ahead(KEYS[3], KEYS[2], id)) then
    redis.call('LPUSH', KEYS[2], id)
  end
  if redis.call('EXISTS', task) == 1 then
    redis.call('HSET', task, 'state', 'pending', 'pending_since', ARGV[2])
  end
end
local next = ARGV[5] == '1' and redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES') or {}
return {#ids, next[2] or ''}
