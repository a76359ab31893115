-- Uses: ahead
-- enqueue(...) enqueues a task as asynq's own client does, unless its id exists.
--
-- Where 32 tasks or more wait, those of an app that adds only a few go ahead of
-- them, so that a job of a thousand chunks does not hold up another app's small
-- one. A task that ahead does not accept goes to the back.
--
-- Each app may send 20 tasks ahead at once, and then 10 a second. That is a GCRA:
-- the hash turns holds for each app the time, in ms, until which its allowance is
-- used up. It also holds the last task that went ahead (:last), and when it was
-- last cleaned of apps whose time is over (:cleaned); an app's name has no colon.
local function allowed(turns, list, app, nanos)
  if app == '' or redis.call('LLEN', list) < 32 then return false end
  local now = math.floor(tonumber(nanos) / 1e6)
  local turn = redis.call('HGET', turns, app)
  if not turn and redis.call('HLEN', turns) >= 1000 then
    if now - tonumber(redis.call('HGET', turns, ':cleaned') or 0) < 1000 then return false end
    redis.call('HSET', turns, ':cleaned', string.format('%d', now))
    local all = redis.call('HGETALL', turns)
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, 1) ~= ':' and tonumber(all[i + 1]) < now then redis.call('HDEL', turns, all[i]) end
    end
    if redis.call('HLEN', turns) >= 1000 then return false end
  end
  turn = math.max(tonumber(turn or 0), now)
  if turn - now > 1900 then return false end
  redis.call('HSET', turns, app, string.format('%d', turn + 100))
  redis.call('EXPIRE', turns, 60)
  return true
end

-- list is asynq's list of tasks to be worked now or, if due (Unix s) is not '0',
-- its set of scheduled ones. app is '' for a task that never goes ahead.
local function enqueue(task, list, turns, id, msg, nanos, due, app)
  if redis.call('EXISTS', task) == 1 then return end
  if due == '0' then
    redis.call('HSET', task, 'msg', msg, 'state', 'pending', 'pending_since', nanos)
    if not (allowed(turns, list, app, nanos) and ahead(turns, list, id)) then
      redis.call('LPUSH', list, id)
    end
  else
    redis.call('HSET', task, 'msg', msg, 'state', 'scheduled')
    redis.call('ZADD', list, due, id)
  end
end
