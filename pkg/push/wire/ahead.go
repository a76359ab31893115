package wire

// LuaAhead defines ahead(turns, pending, id), which adds a task to a lane ahead
// of its backlog. asynq takes tasks from the right end of the list.
//
// Tasks that go ahead keep their order, and every one of them has a task of the
// backlog before it: of two tasks taken, one at least is the backlog's. It
// returns false, and adds nothing, if the task would come later than 256 others.
// The hash TurnKey holds the last task that went ahead (:last).
const LuaAhead = `
local function ahead(turnkey, queuekey, id)
  local last = redis.call('HGET', turnkey, ':last')
  local at = last and redis.call('LPOS', queuekey, last, 'RANK', -1, 'MAXLEN', 512) -- tasks given back may be before it
  local before = 1
  if at then before = redis.call('LLEN', queuekey) - at + 1 end
  if before > 256 then return false end
  local earlier = redis.call('RPOP', queuekey, before)
  redis.call('RPUSH', queuekey, id)
  for i = #earlier, 1, -1 do redis.call('RPUSH', queuekey, earlier[i]) end
  redis.call('HSET', turnkey, ':last', id)
  return true
end
`
