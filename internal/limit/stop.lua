-- Stops everything of one (app, vendor), or makes a stop longer whose probe
-- failed. What else comes while it is stopped answers requests sent before, and
-- only a later Retry-After or a graver reason counts.
-- KEYS[1] the rate's hash, see lease.lua
-- KEYS[2] hash: kind; until: when a probe may go, µs; reason; row: stops in a row before this
--   one; failed: probes that failed; since: when it was stopped, µs; probe: whose it is, and
--   asked, out: when it went and how long it is waited for, µs. Without kind nothing is
--   stopped: faults: failures in a row; calm: when the last stop ended, µs; row
-- ARGV[1] kind  ARGV[2] 1: graver than the other kinds  ARGV[3] failures in a row that stop; 0: the first
-- ARGV[4] the vendor's Retry-After, ms; 0: none  ARGV[5] the first pause, ms, doubled by each failure
-- ARGV[6] the longest, ms  ARGV[7] 1: the rate is halved  ARGV[8] the smallest factor
-- ARGV[9] the probe that failed, or ''  ARGV[10] reason  ARGV[11] ms to keep the hashes when idle
-- ARGV[12] ms without a stop after which the next is not in a row with it
-- ARGV[13] now, µs; empty: Redis's own clock
-- Answers {ms left of the pause; 1 when this stopped it or changed the kind}.
local now = tonumber(ARGV[13])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1e6 + t[2]
end
local function us(n) return string.format('%.0f', n) end
local s = redis.call('HMGET', KEYS[2], 'kind', 'until', 'row', 'failed', 'probe', 'faults', 'calm', 'since')
local kind, till, row, failed = s[1], tonumber(s[2] or 0), tonumber(s[3] or 0), tonumber(s[4] or 0)
local asked, news, since = tonumber(ARGV[4]), 0, now
if not kind then
  if tonumber(ARGV[3]) > 0 then
    local faults = tonumber(s[6] or 0) + 1
    if faults < tonumber(ARGV[3]) then
      redis.call('HSET', KEYS[2], 'faults', faults)
      redis.call('PEXPIRE', KEYS[2], ARGV[11])
      return {0, 0}
    end
  end
  if s[7] and now - tonumber(s[7]) < ARGV[12] * 1000 then row = row + 1 else row = 0 end
  failed, news = 0, 1
  if ARGV[7] == '1' then
    local factor = tonumber(redis.call('HGET', KEYS[1], 'factor') or 1)
    redis.call('HSET', KEYS[1], 'factor', string.format('%.17g', math.max(factor / 2, ARGV[8])))
    redis.call('HDEL', KEYS[1], 'climb')
  end
else
  since = tonumber(s[8] or now)
  local mine = ARGV[9] ~= '' and ARGV[9] == s[5]
  local graver = ARGV[2] == '1' and kind ~= ARGV[1]
  if not mine and not graver then
    if now + asked * 1000 > till then
      till = now + asked * 1000
      redis.call('HSET', KEYS[2], 'until', us(till))
      redis.call('HDEL', KEYS[2], 'probe', 'asked', 'out')
      redis.call('PEXPIRE', KEYS[2], us(math.ceil((till - now) / 1000) + ARGV[11]))
    end
    return {math.max(0, math.ceil((till - now) / 1000)), 0}
  end
  failed = failed + 1
  if graver then row, failed = 0, 0 end
  if kind ~= ARGV[1] then news = 1 end
end
local hold = asked
if hold == 0 then
  hold = math.min(ARGV[5] * 2 ^ math.min(row + failed, 30), ARGV[6])
end
till = now + hold * 1000
redis.call('HDEL', KEYS[2], 'probe', 'asked', 'out', 'faults', 'calm')
redis.call('HSET', KEYS[2], 'kind', ARGV[1], 'until', us(till), 'reason', ARGV[10], 'row', row, 'failed', failed, 'since', us(since))
redis.call('PEXPIRE', KEYS[2], us(hold + ARGV[11]))
redis.call('HSET', KEYS[1], 'quiet', us(till), 'raised', us(till))
if redis.call('PTTL', KEYS[1]) < ARGV[11] + hold then
  redis.call('PEXPIRE', KEYS[1], us(ARGV[11] + hold))
end
return {hold, news}
