-- Ends the tokens of a job that are pending and in no chunk: dead, or canceled
-- if the job is. It does nothing if the ledger has changed since that was seen.
--
-- Uses: kind, balance
-- KEYS
--  ledger                 the job's ledger
--  message                the job's message
-- ARGV
--  seen number            tokens that were pending
--  code                   under what the tokens are counted
--  now                    Unix s
--  keep_at_least number   s to keep the ledger of an ended job
-- Returns how many tokens ended.
if kind(ledger) ~= 'hash' then return 0 end
local pending, state, keep = balance(ledger)
local enqueuing = redis.call('HEXISTS', ledger, 'digest') == 1
if pending ~= seen or pending <= 0 or enqueuing or state == 'staging' then return 0 end
if state == 'canceled' then
  redis.call('HINCRBY', ledger, 'canceled', pending)
else
  redis.call('HINCRBY', ledger, 'dead', pending)
  redis.call('HINCRBY', ledger, code, pending)
  state = 'running'
end
finish(ledger, message, state, now, keep, keep_at_least)
return pending
