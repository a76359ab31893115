-- Stops everything of one (app, vendor), or makes a stop longer whose probe failed.
-- What else comes while it is stopped answers requests sent before, and only a later
-- Retry-After or a graver reason counts.
--
-- Uses: micros
-- KEYS
--  rate                 hash, see block.lua
--  stop                 hash: kind; until: when a probe may go, µs; reason; row: stops in a row before this
--                       one; failed: probes that failed; since: when it was stopped, µs; probe: whose it is,
--                       and asked, out: when it went and how long it is waited for, µs. Without kind nothing
--                       is stopped: faults: failures in a row; calm: when the last stop ended, µs; row
-- ARGV
--  kind                 the kind of stop
--  grave                1: graver than the other kinds
--  needed number        failures in a row that stop; 0: the first
--  retry_after number   what the vendor asked to wait, ms; 0: nothing
--  shortest number      the first pause, ms, doubled by each failure
--  longest number       the longest, ms
--  slower               1: the rate is halved
--  smallest number      the smallest factor
--  probe                the probe that failed; '': the request was not a probe
--  reason               for people
--  keep number          ms to keep the hashes when no worker uses them
--  calm_after number    ms without a stop after which the next is not in a row with it
--  now                  µs; '': Redis's own clock
-- Returns {ms left of the pause; 1 when this stopped it or changed the kind}.
now = micros(now)
local s = redis.call('HMGET', stop, 'kind', 'until', 'row', 'failed', 'probe', 'faults', 'calm', 'since')
local current, till, row, failed = s[1], tonumber(s[2] or 0), tonumber(s[3] or 0), tonumber(s[4] or 0)
local news, since = 0, now

if not current then
  -- Not stopped: count the failure, or begin a stop.
  if needed > 0 then
    local faults = tonumber(s[6] or 0) + 1
    if faults < needed then
      redis.call('HSET', stop, 'faults', faults)
      redis.call('PEXPIRE', stop, whole(keep))
      return {0, 0}
    end
  end
  if s[7] and now - tonumber(s[7]) < calm_after * 1000 then row = row + 1 else row = 0 end
  failed, news = 0, 1
  if slower == '1' then
    local factor = tonumber(redis.call('HGET', rate, 'factor') or 1)
    redis.call('HSET', rate, 'factor', string.format('%.17g', math.max(factor / 2, smallest)))
    redis.call('HDEL', rate, 'climb')
  end
else
  since = tonumber(s[8] or now)
  local mine = probe ~= '' and probe == s[5]
  local graver = grave == '1' and current ~= kind
  if not mine and not graver then
    -- The answer to a request that was sent before the stop.
    if now + retry_after * 1000 > till then
      till = now + retry_after * 1000
      redis.call('HSET', stop, 'until', whole(till))
      redis.call('HDEL', stop, 'probe', 'asked', 'out')
      redis.call('PEXPIRE', stop, whole(math.ceil((till - now) / 1000) + keep))
    end
    return {math.max(0, math.ceil((till - now) / 1000)), 0}
  end
  failed = failed + 1
  if graver then row, failed = 0, 0 end
  if current ~= kind then news = 1 end
end

local pause = retry_after
if pause == 0 then pause = math.min(shortest * 2 ^ math.min(row + failed, 30), longest) end
till = now + pause * 1000
redis.call('HDEL', stop, 'probe', 'asked', 'out', 'faults', 'calm')
redis.call('HSET', stop, 'kind', kind, 'until', whole(till), 'reason', reason, 'row', row, 'failed', failed,
  'since', whole(since))
redis.call('PEXPIRE', stop, whole(pause + keep))
redis.call('HSET', rate, 'quiet', whole(till), 'raised', whole(till))
if redis.call('PTTL', rate) < keep + pause then redis.call('PEXPIRE', rate, whole(keep + pause)) end
return {pause, news}
