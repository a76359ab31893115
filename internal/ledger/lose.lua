-- Ends the tokens of a chunk that cannot be read: as many as its member of the
-- open work says, or what is pending in the ledger if that is less. Sent again it
-- finds no member and changes nothing.
--
-- Uses: kind, single, balance
-- KEYS
--  open_work              the lane's index of open work
--  chunk                  the chunk
--  chunk_jobs             the jobs of a chunk that several share
-- KEYS of each job
--  ledger                 the job's ledger
--  message                the job's message
-- ARGV
--  member                 the chunk's member of the index
--  now number             Unix s
--  now36                  the same in base 36
--  keep_at_least number   s to keep the ledger of an ended job
--  keep_single number     the same for a job of one token
--  code                   under what the tokens are counted
-- ARGV of each job
--  tokens number          how many of its tokens the chunk had
-- Returns how many tokens ended dead.
if redis.call('ZREM', open_work, member) == 0 then return 0 end
redis.call('DEL', chunk, chunk_jobs)
local sum = 0

local function lose_single(ledger)
  local letter, number, rest = single(ledger)
  if letter ~= 'p' and letter ~= 'q' then return end
  redis.call('SET', ledger, '1e' .. now36 .. rest .. ' ' .. code, 'EX', math.max(tonumber(number, 36), keep_single))
  sum = sum + 1
end

local function lose_hash(ledger, message, tokens)
  local pending, state, keep = balance(ledger)
  local n = math.min(tokens, pending)
  if n <= 0 then return end
  redis.call('HINCRBY', ledger, 'dead', n)
  redis.call('HINCRBY', ledger, code, n)
  sum = sum + n
  if pending > n or state == 'staging' or state == 'sealed' then return end
  finish(ledger, message, state, now, keep, keep_at_least)
end

for i = 1, job_count do
  local ledger, message, tokens = job_at(i)
  local is = kind(ledger)
  if is == 'string' then
    lose_single(ledger)
  elseif is == 'hash' then
    lose_hash(ledger, message, tokens)
  end
end
return sum
