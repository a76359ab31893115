-- did(call, part) reports whether a call, which go-redis sends again when its reply
-- was lost, has done a part of its work; note(call, part) records that it has. A
-- call is remembered for a minute.
local function did(call, part) return redis.call('SISMEMBER', call, part) == 1 end

local function note(call, part)
  redis.call('SADD', call, part)
  redis.call('EXPIRE', call, 60)
end
