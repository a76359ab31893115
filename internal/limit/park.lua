-- Parks the jobs of a request that got a configuration error, and tells whether
-- a second job got that code.
-- KEYS[1] hash: job → "<until, µs> <probes that failed> <until when a probe's answer is waited for, µs; 0: none is out> <probe or -> <code>"
-- KEYS[2] sorted set: job → when its entry is forgotten, µs
-- KEYS[3] hash: code of scope app → "<when it was last seen, µs> <the first job that got it>"
-- ARGV[1] code  ARGV[2] 1: a second job with the code is to be told
-- ARGV[3] ms after which the first job with it is forgotten  ARGV[4] the vendor's Retry-After, ms; 0: none
-- ARGV[5] the first wait, ms, doubled by each probe that fails  ARGV[6] the longest, ms
-- ARGV[7] ms for which an entry outlives its wait  ARGV[8] the probe that the request was, or ''
-- ARGV[9] now, µs; empty: Redis's own clock
-- ARGV[10], ARGV[11] … pairs: job, ms until it expires
-- Answers {ms until the last of the jobs goes on; 1 when a second job has the code; how many jobs were not parked before}.
local now = tonumber(ARGV[9])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local function us(n) return string.format('%.0f', n) end

local second = 0
if ARGV[2] == '1' then
  local first = ARGV[10]
  local seen = redis.call('HGET', KEYS[3], ARGV[1])
  if seen then
    local at, job = string.match(seen, '^(%d+) (.*)$')
    if at and now - at < ARGV[3] * 1000 then first = job end
  end
  for i = 10, #ARGV, 2 do
    if ARGV[i] ~= first then second = 1 end
  end
  redis.call('HSET', KEYS[3], ARGV[1], us(now) .. ' ' .. first)
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end

local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', us(now), 'LIMIT', 0, 100)
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
end

local last, news, keep = 0, 0, 0
for i = 10, #ARGV, 2 do
  local job = ARGV[i]
  local till, failed, out, probe
  local forget = tonumber(redis.call('ZSCORE', KEYS[2], job) or 0)
  if forget > now then
    till, failed, out, probe = string.match(redis.call('HGET', KEYS[1], job) or '', '^(%d+) (%d+) (%d+) (%S+) ')
    till, failed, out = tonumber(till), tonumber(failed), tonumber(out)
  end
  if not till then
    failed, news = 0, news + 1
  elseif ARGV[8] ~= '' and probe == ARGV[8] or now >= till and now >= out then
    failed, till = failed + 1, nil
  end
  if not till then -- else it answers a request that was sent before
    local hold = math.max(tonumber(ARGV[4]), math.min(ARGV[5] * 2 ^ math.min(failed, 30), tonumber(ARGV[6])))
    till = now + hold * 1000
    forget = math.min(till + ARGV[7] * 1000, now + math.max(tonumber(ARGV[i + 1]), 1) * 1000)
    redis.call('HSET', KEYS[1], job, us(till) .. ' ' .. us(failed) .. ' 0 - ' .. ARGV[1])
    redis.call('ZADD', KEYS[2], us(forget), job)
  end
  last, keep = math.max(last, till), math.max(keep, forget)
end
local ttl = math.ceil((keep - now) / 1000)
for k = 1, 2 do
  if redis.call('PTTL', KEYS[k]) < ttl then
    redis.call('PEXPIRE', KEYS[k], us(ttl))
  end
end
return {math.max(0, math.ceil((last - now) / 1000)), second, news}
