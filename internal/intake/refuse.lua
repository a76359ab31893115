-- Answers what was refused of an intake entry, unless that was done not long ago:
-- by this worker, whose step is sent again when its reply was lost, or by one that
-- died.
--
-- KEYS
--  refused       stream of the answers
--  answered      exists while these answers were given not long ago
-- ARGV of each answer
--  words number  how many of the words below are the answer's
-- ARGV rest words
-- Returns 1.
if not redis.call('SET', answered, '', 'NX', 'EX', 3600) then return 1 end
for i = 1, answer_count do
  local n = answer_at(i)
  redis.call('XADD', refused, '*', unpack(ARGV, words, words + n - 1))
  words = words + n
end
return 1
