-- Reads everything about one token at one moment.
-- KEYS[1] token  KEYS[2] refusal  KEYS[3] refusals in a row
-- No ARGV. Answers {token or nil, ms left, refusal or nil, ms left, count or nil}.
return {
  redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]),
  redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[2]),
  redis.call('GET', KEYS[3]),
}
