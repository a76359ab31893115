-- What scripts share that record invalid tokens.
--
-- The guard counts by the minute, in a hash with the fields "a<minute>"
-- (answered), "i<minute>" (invalid) and, while entries are quarantined, "held"
-- (since when). A step without invalid tokens costs it one HINCRBY.

-- judge(...) counts answers, the ones being recorded included, and returns 0 if
-- the entries may enter the feed, 1 if they are quarantined, 2 if they are and
-- the ones before were not. asked: there are entries. now is Unix s.
local function judge(guard, now, answered, invalid, asked, least, ratio)
  if least <= 0 then return 0 end
  local minute = math.floor(now / 60)
  if answered > 0 and redis.call('HINCRBY', guard, 'a' .. minute, answered) == answered then
    for _, f in ipairs(redis.call('HKEYS', guard)) do
      local m = tonumber(string.sub(f, 2))
      if m and m < minute - 10 then redis.call('HDEL', guard, f) end
    end
    redis.call('EXPIRE', guard, 1200)
  end
  if invalid > 0 then redis.call('HINCRBY', guard, 'i' .. minute, invalid) end
  if not asked then return 0 end
  local sum, held, all = { a = 0, i = 0 }, false, redis.call('HGETALL', guard)
  for j = 1, #all, 2 do
    local kind, m = string.sub(all[j], 1, 1), tonumber(string.sub(all[j], 2))
    if all[j] == 'held' then
      held = true
    elseif m >= minute - 10 then
      sum[kind] = sum[kind] + tonumber(all[j + 1])
    end
  end
  if sum.a < least or sum.i / sum.a <= ratio then
    if held then redis.call('HDEL', guard, 'held') end
    return 0
  end
  if held then return 1 end
  redis.call('HSET', guard, 'held', now)
  return 2
end

-- add_invalid(...) adds the entry ARGV[from] to ARGV[to] to the feed, or to the
-- quarantine. An entry of the feed leaves its mark, if it has one.
local function add_invalid(judged, feed, quarantine, marks, mark, at, from, to)
  if judged > 0 then
    redis.call('XADD', quarantine, '*', unpack(ARGV, from, to))
    return
  end
  redis.call('XADD', feed, '*', unpack(ARGV, from, to))
  if mark ~= '' then redis.call('ZADD', marks, 'GT', at, mark) end
end

-- drop_old_marks(...) removes marks that are older than any job that they could
-- concern. now and keep are s.
local function drop_old_marks(marks, now, keep)
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', (now - keep) * 1000)
  redis.call('EXPIRE', marks, keep)
end
