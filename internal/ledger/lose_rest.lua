-- Ends the tokens of a job that are pending and in no chunk: dead, or canceled
-- if the job is. It does nothing if the ledger has changed since that was seen.
-- KEYS[1] ledger  KEYS[2] the job's message
-- ARGV[1] tokens that were pending  ARGV[2] code  ARGV[3] now, Unix s  ARGV[4] keep, s
-- Answers how many tokens ended.
local kind = redis.call('TYPE', KEYS[1])
if (kind.ok or kind) ~= 'hash' then return 0 end
local v = redis.call('HMGET', KEYS[1], 'accepted', 'delivered', 'invalid', 'dropped', 'expired', 'dead', 'canceled', 'state', 'keep', 'digest')
local pending = tonumber(v[1])
for i = 2, 7 do pending = pending - tonumber(v[i] or 0) end
if pending ~= tonumber(ARGV[1]) or pending <= 0 or v[10] or v[8] == 'staging' then return 0 end
if v[8] == 'canceled' then
  redis.call('HINCRBY', KEYS[1], 'canceled', pending)
else
  redis.call('HINCRBY', KEYS[1], 'dead', pending)
  redis.call('HINCRBY', KEYS[1], ARGV[2], pending)
  redis.call('HSET', KEYS[1], 'state', 'done')
end
redis.call('HSET', KEYS[1], 'ended', ARGV[3])
redis.call('EXPIRE', KEYS[1], math.max(tonumber(v[9] or 0), tonumber(ARGV[4])))
redis.call('DEL', KEYS[2])
return pending
