-- ahead(turns, list, id) adds a task to a lane ahead of its backlog. asynq takes
-- tasks from the right end of the list.
--
-- Tasks that go ahead keep their order, and every one of them has a task of the
-- backlog before it: of two tasks taken, one at least is the backlog's. It
-- returns false, and adds nothing, if the task would come after 256 others. The
-- hash turns holds the last task that went ahead (:last).
local function ahead(turns, list, id)
  local last = redis.call('HGET', turns, ':last')
  -- Tasks that were put back may be before it.
  local at = last and redis.call('LPOS', list, last, 'RANK', -1, 'MAXLEN', 512)
  local before = 1
  if at then before = redis.call('LLEN', list) - at + 1 end
  if before > 256 then return false end
  local earlier = redis.call('RPOP', list, before)
  redis.call('RPUSH', list, id)
  for i = #earlier, 1, -1 do redis.call('RPUSH', list, earlier[i]) end
  redis.call('HSET', turns, ':last', id)
  return true
end
