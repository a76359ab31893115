-- Lists the open work of a chunk of which no step was recorded since it was loaded.
--
-- KEYS
--  chunk       the chunk
--  open_work   the lane's index of open work
--  chunk_jobs  the jobs of a chunk that several share
-- ARGV
--  generation  as loaded, 4 bytes
--  member      the chunk's member of the index
--  score       when the last of its jobs expires, Unix s
--  jobs        what chunk_jobs holds; '': the chunk is one job's
-- Returns 1 if it is listed, else 0.
if redis.call('GETRANGE', chunk, 2, 5) ~= generation then return 0 end
redis.call('ZADD', open_work, score, member)
if jobs ~= '' then
  redis.call('SET', chunk_jobs, jobs)
  local life = redis.call('PTTL', chunk)
  if life > 0 then redis.call('PEXPIRE', chunk_jobs, life) end
end
return 1
