-- What asynq keeps of a task that is to be worked now: a hash with the task's
-- encoding and state, and its id in the lane's list. asynq takes tasks from the
-- right end of the list.

-- set_pending(task, nanos) marks a task as one to be worked now. nanos is Unix ns.
local function set_pending(task, nanos)
  redis.call('HSET', task, 'state', 'pending', 'pending_since', nanos)
end

-- push_task(task, list, id, msg, nanos) adds a new task behind all others of its lane.
local function push_task(task, list, id, msg, nanos)
  redis.call('HSET', task, 'msg', msg)
  set_pending(task, nanos)
  redis.call('LPUSH', list, id)
end
