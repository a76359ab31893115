-- Tells the states of tasks in few bytes.
-- KEYS[1] … asynq tasks
-- Answers a string with a letter for each: - no such task, a active, x archived, w it waits.
local letters = {active = 'a', archived = 'x'}
local out = {}
for i = 1, #KEYS do
  local state = redis.call('HGET', KEYS[i], 'state')
  out[i] = state and (letters[state] or 'w') or '-'
end
return table.concat(out)
