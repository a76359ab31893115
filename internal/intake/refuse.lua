-- Answers what was refused of an intake entry, unless that was done not long ago:
-- by this worker, whose step is sent again when its reply was lost, or by one that
-- died.
-- KEYS[1] stream of refusals
-- KEYS[2] mark: these answers were given
-- ARGV[1] how many answers  then the words of all, the same number of each
-- Answers 1.
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', 3600) then return 1 end
local words = (#ARGV - 1) / ARGV[1]
for i = 0, ARGV[1] - 1 do
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2 + i * words, 1 + (i + 1) * words))
end
return 1
