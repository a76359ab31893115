-- Reads everything about one token at one moment.
--
-- KEYS
--  token     the token
--  refusal   the vendor's last refusal
--  refusals  how many there were in a row
-- Returns {token or nil, ms left, refusal or nil, ms left, count or nil}.
return {
  redis.call('GET', token), redis.call('PTTL', token),
  redis.call('GET', refusal), redis.call('PTTL', refusal),
  redis.call('GET', refusals),
}
