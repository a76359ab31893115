-- Enqueues small jobs whole: ledgers, chunks and tasks in one step, or nothing at
-- all if any of the ids is taken. go-redis sends it again when its reply was lost:
-- the call leaves a marker for a minute, so that it gets its first answer again.
--
-- Uses: taken, enqueue
-- KEYS
--  call             the call's marker
--  open_jobs        sorted set of the open jobs of more than one token
-- KEYS of each job
--  ledger           the job's ledger
-- KEYS of each chunk
--  chunk            the chunk
--  task             asynq's task
--  list             asynq's pending list, or its scheduled set
--  turns            see enqueue in wire/prelude
--  open_work        the lane's index of open work
--  chunk_jobs       the jobs of a chunk that several share
-- ARGV
--  now number       Unix s
--  window number    s for which the id of an ended job stays taken
--  nanos            now, Unix ns
-- ARGV of each job
--  form             'single': the ledger is a string; 'hash'
--  value            the string, or the job's app
--  tokens           how many it has
--  ttl              s until the ledger is forgotten
--  keep             s to keep the ledger after the job has ended
--  id               the job's id; '' if the ledger is a string
-- ARGV of each chunk
--  bytes            the chunk
--  ttl              s until it is forgotten
--  id               asynq's id of the task
--  msg              asynq's encoding of the task
--  due              Unix s; 0: now
--  app              the app, for its turn
--  member           the chunk's member of the index of open work
--  score            when the last of its jobs expires, Unix s
--  jobs             what chunk_jobs holds; '': the chunk is one job's
-- Returns the indices, from 1, of the jobs whose ids are taken.
local duplicates = {}
for i = 1, job_count do
  if taken(job_keys_at(i), now, window) then duplicates[#duplicates + 1] = i end
end
if (#duplicates > 0 or window < 60) and redis.call('EXISTS', call) == 1 then return {} end
if #duplicates > 0 then return duplicates end
redis.call('SET', call, '', 'EX', 60)

for i = 1, job_count do
  local ledger, form, value, tokens, ttl, keep, id = job_at(i)
  if form == 'single' then
    redis.call('SET', ledger, value, 'EX', ttl)
  else
    redis.call('DEL', ledger)
    redis.call('HSET', ledger, 'state', 'running', 'app', value, 'accepted', tokens, 'created', now, 'keep', keep)
    redis.call('EXPIRE', ledger, ttl)
    redis.call('ZADD', open_jobs, now, id)
  end
end

for i = 1, chunk_count do
  local chunk, task, list, turns, open_work, chunk_jobs, bytes, ttl, id, msg, due, app, member, score, jobs = chunk_at(i)
  redis.call('SET', chunk, bytes, 'EX', ttl)
  enqueue(task, list, turns, id, msg, nanos, due, app)
  redis.call('ZADD', open_work, score, member)
  if jobs ~= '' then redis.call('SET', chunk_jobs, jobs, 'EX', ttl) end
end
return duplicates
