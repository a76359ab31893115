-- balance(ledger) reads a ledger that is a hash: how many tokens have no outcome,
-- the job's state, and how long to keep the ledger (s).
local function balance(ledger)
  local v = redis.call('HMGET', ledger, 'accepted', 'delivered', 'invalid', 'dropped', 'expired', 'dead', 'canceled',
    'state', 'keep')
  local pending = tonumber(v[1] or 0)
  for i = 2, 7 do pending = pending - tonumber(v[i] or 0) end
  return pending, v[8], v[9] or 0
end

-- finish(...) ends a job that has no pending token. A job that was canceled keeps
-- that state. The ledger is kept for the longer of two times (s).
local function finish(ledger, message, state, now, keep, keep_at_least)
  if state == 'running' then redis.call('HSET', ledger, 'state', 'done') end
  redis.call('HSET', ledger, 'ended', now)
  redis.call('EXPIRE', ledger, math.max(keep, keep_at_least))
  redis.call('DEL', message)
end
