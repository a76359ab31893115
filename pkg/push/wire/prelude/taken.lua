-- taken(ledger, now, window) reports whether a job's id is taken: the job is known,
-- and did not end longer ago than the window. Times are Unix s. It does not use
-- kind and single: each would cost every enqueue, and few ids exist.
local function taken(ledger, now, window)
  if redis.call('EXISTS', ledger) == 0 then return false end
  local kind = redis.call('TYPE', ledger)
  if (kind.ok or kind) == 'string' then
    local letter, number = string.match(redis.call('GET', ledger), '^1(%a)(%w+)')
    if not letter or letter == 'p' or letter == 'q' then return true end
    return tonumber(number, 36) + window > now
  end
  local ended = redis.call('HGET', ledger, 'ended')
  if not ended then return true end
  return tonumber(ended) + window > now
end
