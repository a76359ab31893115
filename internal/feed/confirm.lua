-- Moves one entry from the quarantine to the feed. From then on a token that is to
-- be deleted is known to be invalid.
--
-- Uses: once
-- KEYS
--  quarantine   stream of the entries that the guard keeps out of the feed
--  feed         the feed
--  marks        marks of the app's tokens that are known to be invalid
--  call         what this call has done
-- ARGV
--  id           the entry's id
--  mark         the token's mark; '': it is not to be deleted
--  at           when it was found invalid, Unix ms
--  keep number  s to keep marks
-- Returns 1, or 0 if another caller has moved the entry.
if did(call, id) then return 1 end
local entry = redis.call('XRANGE', quarantine, id, id)
if #entry == 0 then return 0 end
redis.call('XADD', feed, '*', unpack(entry[1][2]))
redis.call('XDEL', quarantine, id)
note(call, id)
if mark ~= '' then
  redis.call('ZADD', marks, 'GT', at, mark)
  if redis.call('TTL', marks) < keep then redis.call('EXPIRE', marks, keep) end
end
return 1
