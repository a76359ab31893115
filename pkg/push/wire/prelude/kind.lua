-- kind(key) is the Redis type of a key: 'none', 'string', 'hash' and so on.
local function kind(key)
  local reply = redis.call('TYPE', key)
  return reply.ok or reply
end
