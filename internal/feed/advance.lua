-- Moves the webhook's cursor, unless another worker did.
--
-- KEYS
--  cursor  the id of the last entry that the webhook took
-- ARGV
--  from    where it was; '0-0': nowhere yet
--  to      where it is to be
-- Returns 1, or 0 if it was somewhere else.
if (redis.call('GET', cursor) or '0-0') ~= from then return 0 end
redis.call('SET', cursor, to)
return 1
