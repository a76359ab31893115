-- Parks the jobs of a request that got a configuration error, and reports whether
-- a second job got that code.
--
-- Uses: micros
-- KEYS
--  jobs                 hash: job to "<until, µs> <probes that failed> <until when a probe's answer is waited
--                       for, µs; 0: none is out> <probe or -> <code>"
--  forget               sorted set: job by the time when its entry is forgotten, µs
--  codes                hash: code of scope app to "<when it was last seen, µs> <the first job that got it>"
-- ARGV
--  code                 the code
--  about_app            1: a second job with the code is to be told
--  remember number      ms after which the first job with the code is forgotten
--  retry_after number   what the vendor asked to wait, ms; 0: nothing
--  shortest number      the first wait, ms, doubled by each probe that fails
--  longest number       the longest, ms
--  keep number          ms for which an entry outlives its wait
--  probe                the probe that the request was; '': it was not a probe
--  now                  µs; '': Redis's own clock
-- ARGV of each job
--  id                   the job
--  life number          ms until it expires
-- Returns {ms until the last of the jobs goes on; 1 when a second job has the code; how many jobs were not parked before}.
now = micros(now)

local second = 0
if about_app == '1' then
  local first
  local seen = redis.call('HGET', codes, code)
  if seen then
    local at, job = string.match(seen, '^(%d+) (.*)$')
    if at and now - at < remember * 1000 then first = job end
  end
  for i = 1, job_count do
    local id = job_at(i)
    first = first or id
    if id ~= first then second = 1 end
  end
  redis.call('HSET', codes, code, whole(now) .. ' ' .. first)
  redis.call('PEXPIRE', codes, whole(remember))
end

local gone = redis.call('ZRANGEBYSCORE', forget, '-inf', whole(now), 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('HDEL', jobs, unpack(gone))
  redis.call('ZREM', forget, unpack(gone))
end

local last, news, kept = 0, 0, 0
for i = 1, job_count do
  local id, life = job_at(i)
  local till, failed, out, name
  local forgotten = tonumber(redis.call('ZSCORE', forget, id) or 0)
  if forgotten > now then
    till, failed, out, name = string.match(redis.call('HGET', jobs, id) or '', '^(%d+) (%d+) (%d+) (%S+) ')
    till, failed, out = tonumber(till), tonumber(failed), tonumber(out)
  end
  if not till then
    failed, news = 0, news + 1
  elseif probe ~= '' and name == probe or now >= till and now >= out then
    failed, till = failed + 1, nil
  end
  if not till then -- else it answers a request that was sent before
    local wait = math.max(retry_after, math.min(shortest * 2 ^ math.min(failed, 30), longest))
    till = now + wait * 1000
    forgotten = math.min(till + keep * 1000, now + math.max(life, 1) * 1000)
    redis.call('HSET', jobs, id, whole(till) .. ' ' .. whole(failed) .. ' 0 - ' .. code)
    redis.call('ZADD', forget, whole(forgotten), id)
  end
  last, kept = math.max(last, till), math.max(kept, forgotten)
end
local ttl = math.ceil((kept - now) / 1000)
for _, key in ipairs({jobs, forget}) do
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, whole(ttl)) end
end
return {math.max(0, math.ceil((last - now) / 1000)), second, news}
