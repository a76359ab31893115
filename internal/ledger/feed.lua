-- Adds entries to the feed of invalid tokens, each unless the same was added not
-- long ago. Sent again after its reply was lost, it gives its first answer again.
--
-- Uses: feed
-- KEYS
--  call                 what this call answered
--  stream               the feed
--  quarantine           stream of the entries that the guard keeps out of the feed
--  guard                the guard's counters
--  marks                marks of the app's tokens that are known to be invalid
-- KEYS of each invalid
--  added                exists while the entry was added not long ago
-- ARGV
--  now number           Unix s
--  keep number          s to keep marks
--  once                 s for which an entry is not added again
--  answered number      tokens that were reported
--  among number         how many of them were invalid
--  guard_least number   answers from which on the guard judges; 0: it is off
--  guard_ratio number   the part of them that may be invalid
-- ARGV of each invalid
--  mark                 of a token that is invalid for good; ''
--  at                   when it was found invalid, Unix ms
--  words number         how many of the words below are the entry's
-- ARGV rest words
-- Returns how many were added, and 0 if they entered the feed, 1 if they were
-- quarantined, 2 if those before them were not.
local before = redis.call('GET', call)
if before then
  local n, judged = string.match(before, '(%d+) (%d+)')
  return {tonumber(n), tonumber(judged)}
end
local n = 0
local judged = judge(guard, now, answered, among, invalid_count > 0, guard_least, guard_ratio)
for i = 1, invalid_count do
  local added, mark, at, length = invalid_at(i)
  if redis.call('SET', added, '', 'NX', 'EX', once) then
    add_invalid(judged, stream, quarantine, marks, mark, at, words, words + length - 1)
    n = n + 1
  end
  words = words + length
end
if invalid_count > 0 then drop_old_marks(marks, now, keep) end
redis.call('SET', call, n .. ' ' .. judged, 'EX', 60)
return {n, judged}
