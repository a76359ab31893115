-- Uses: kind, single
-- taken(ledger, now, window) tells whether a job's id is taken: the job is known,
-- and did not end longer ago than the window. Times are Unix s.
local function taken(ledger, now, window)
  if redis.call('EXISTS', ledger) == 0 then return false end -- most ids; faster than their type
  if kind(ledger) == 'string' then
    local letter, number = single(ledger)
    if not letter or letter == 'p' or letter == 'q' then return true end
    return tonumber(number, 36) + window > now
  end
  local ended = redis.call('HGET', ledger, 'ended')
  if not ended then return true end
  return tonumber(ended) + window > now
end
