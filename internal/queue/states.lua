-- Returns the states of tasks in few bytes.
--
-- KEYS of each task
--  task  asynq's task
-- Returns a string with a letter for each: - no such task, a active, x archived, w it waits.
local letters = {active = 'a', archived = 'x'}
local out = {}
for i = 1, task_count do
  local task = task_at(i)
  local state = redis.call('HGET', task, 'state')
  out[i] = state and (letters[state] or 'w') or '-'
end
return table.concat(out)
