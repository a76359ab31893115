-- Counts the entries after the webhook's cursor.
--
-- KEYS
--  feed    the feed
-- ARGV
--  cursor  the id of the last entry that the webhook took
--  most    how many are counted at most
-- Returns how many there are.
return #redis.call('XRANGE', feed, '(' .. cursor, '+', 'COUNT', most)
