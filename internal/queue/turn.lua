-- Takes a turn at something that one of the workers does, or keeps it. Whoever
-- has it keeps it, so that what it remembers of the last turn holds.
-- KEYS[1] who has the turn
-- ARGV[1] the worker  ARGV[2] for how long, ms
-- Answers 1 if the worker has it, else 0.
local have = redis.call('GET', KEYS[1])
if have and have ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
