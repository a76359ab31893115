-- Deletes a key if it still holds a given value.
-- KEYS[1] key
-- ARGV[1] value
-- Answers how many keys were deleted.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
