-- Reads all pauses of one (app, vendor), those that ended included.
-- KEYS[1] hash, see pause.lua
-- ARGV[1] now, µs; empty: Redis's own clock
-- Answers {now, bucket, value, bucket, value …}, as strings.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local all = redis.call('HGETALL', KEYS[1])
table.insert(all, 1, string.format('%.0f', now))
return all
