-- Records one step of a chunk, if no other step was recorded since the run read the
-- chunk. Sent again after its reply was lost, it finds its own generation. The
-- ledger of a single job changes only when its token has its outcome: with it come
-- the codes of this step, and those of earlier steps are not kept.
--
-- Uses: single, balance, feed
-- KEYS
--  chunk                  the chunk
--  feed                   stream of invalid tokens
--  dead                   stream of dead letters
--  quarantine             stream of the entries that the guard keeps out of the feed
--  guard                  the guard's counters
--  marks                  marks of the app's tokens that are known to be invalid
--  open_work              the lane's index of open work
--  chunk_jobs             the jobs of a chunk that several share
-- KEYS of each job
--  ledger                 the job's ledger
--  message                the job's message
-- ARGV
--  expected               the generation that the step follows, 4 bytes
--  head                   generation and cap to write, 6 bytes
--  states                 the tokens' states, with the chunk's tail
--  offset                 where the states are
--  done                   1: every token has its outcome, so the chunk goes
--  now                    Unix s
--  now36                  the same in base 36
--  keep_at_least          s to keep the ledger of an ended job
--  keep_single            the same for a job of one token
--  answered number        tokens for which the vendor gave a verdict
--  guard_least number     answers from which on the guard judges; 0: it is off
--  guard_ratio number     the part of them that may be invalid
--  member                 the chunk's member of the index of open work
--  next_member            the one in its place; '': it stays
--  next_score             when the last of the chunk's jobs expires, Unix s
-- ARGV of each job
--  form                   'single': the ledger is a string; 'hash'
--  outcome                of a single job: the letter of its outcome; '': it has none yet
--  counts                 how many of the counts below are the job's
-- ARGV of each count
--  field                  an outcome or a code; of a single job a short code
--  n                      how many
-- ARGV of each invalid
--  mark                   of a token that is invalid for good; ''
--  at                     when it was found invalid, Unix ms
--  words                  how many of the words below are the entry's
-- ARGV of each letter
--  words                  how many of the words below are the dead letter's
-- ARGV rest words
-- Returns 0 if the step comes too late, -1 if it would end the chunk and a step that did was
-- recorded, this one or another, 1 if it was recorded, now or before, 2 if its invalid tokens
-- were quarantined, too, 3 if those before them were not.
local generation = redis.call('GETRANGE', chunk, 2, 5)
if generation ~= expected then
  if generation == '' and done == '1' and not redis.call('ZSCORE', open_work, member) then return -1 end
  return generation == string.sub(head, 1, 4) and 1 or 0
end
if done == '1' then
  redis.call('DEL', chunk, chunk_jobs)
  redis.call('ZREM', open_work, member)
else
  redis.call('SETRANGE', chunk, offset, states)
  redis.call('SETRANGE', chunk, 2, head)
  if next_member ~= '' then
    redis.call('ZREM', open_work, member)
    redis.call('ZADD', open_work, next_score, next_member)
  end
end

local first = 1 -- of the job's counts
for i = 1, job_count do
  local ledger, message, form, outcome, counts = job_at(i)
  local last = first + counts - 1
  if form == 'single' then
    local letter, number, rest = single(ledger)
    if outcome ~= '' and (letter == 'p' or letter == 'q') then
      for c = first, last do
        local code, n = count_at(c)
        rest = rest .. ' ' .. code
        if n ~= '1' then rest = rest .. '=' .. n end
      end
      redis.call('SET', ledger, '1' .. outcome .. now36 .. rest, 'EX', math.max(tonumber(number, 36), keep_single))
    end
  elseif redis.call('EXISTS', ledger) == 1 then
    for c = first, last do redis.call('HINCRBY', ledger, count_at(c)) end
    local pending, state, keep = balance(ledger)
    if pending <= 0 and state ~= 'staging' and state ~= 'sealed' then
      finish(ledger, message, state, now, keep, keep_at_least)
    end
  end
  first = last + 1
end

local judged = judge(guard, now, answered, invalid_count, invalid_count > 0, guard_least, guard_ratio)
for i = 1, invalid_count do
  local mark, at, n = invalid_at(i)
  add_invalid(judged, feed, quarantine, marks, mark, at, words, words + n - 1)
  words = words + n
end
for i = 1, letter_count do
  local n = letter_at(i)
  redis.call('XADD', dead, '*', unpack(ARGV, words, words + n - 1))
  words = words + n
end
if invalid_count > 0 then drop_old_marks(marks, now, keep_at_least) end
return 1 + judged
