-- Counts receipts in a job's ledger: each token once for each event, however often
-- and in whatever order they come. Without a ledger there is nothing to count.
--
-- Uses: kind
-- KEYS
--  ledger           the job's ledger
-- KEYS of each set
--  counted          set of receipts that were counted
-- ARGV
--  keep             s to keep the sets
-- ARGV of each receipt
--  set number       the index of its set
--  member           the receipt in the set
--  field            where a ledger that is a hash counts it
--  word             how the ledger of a single job notes it
-- Returns 1, or 0 if there is no ledger.
local is = kind(ledger)
if is == 'none' then return 0 end
if is == 'string' then
  local value = redis.call('GET', ledger)
  local before = value
  for i = 1, receipt_count do
    local _, _, _, word = receipt_at(i)
    if not string.find(value .. ' ', ' ' .. word .. ' ', 1, true) then value = value .. ' ' .. word end
  end
  if value ~= before then redis.call('SET', ledger, value, 'KEEPTTL') end
  return 1
end
local sets = {}
for i = 1, set_count do
  local counted = set_at(i)
  sets[i] = counted
end
for i = 1, receipt_count do
  local set, member, field = receipt_at(i)
  if redis.call('SADD', sets[set], member) == 1 then redis.call('HINCRBY', ledger, field, 1) end
end
for i = 1, set_count do
  local counted = set_at(i)
  redis.call('EXPIRE', counted, keep)
end
return 1
