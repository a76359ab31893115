-- Takes a turn at something that one of the workers does, or keeps it. The worker
-- that has it keeps it, so that what it remembers of the last turn holds.
--
-- KEYS
--  turn  who has the turn
-- ARGV
--  me    the worker
--  life  ms for which it has the turn
-- Returns 1 if the worker has it, else 0.
local have = redis.call('GET', turn)
if have and have ~= me then return 0 end
redis.call('SET', turn, me, 'PX', life)
return 1
