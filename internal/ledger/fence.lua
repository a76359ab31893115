-- Takes a chunk from every run that has loaded it: the next step of each of them
-- comes too late. A chunk whose generation is not 0 has its states, so it gets them.
--
-- KEYS
--  chunk          the chunk
-- ARGV
--  header number  the length of a chunk's header
--  expected       the generation that is replaced, 4 bytes
--  next_gen       the one to write, 4 bytes
-- Returns 1 if it was fenced, now or before, 0 if its generation is another, -1 if it is gone.
local head = redis.call('GETRANGE', chunk, 0, header - 1)
if #head < header then return -1 end
local generation = string.sub(head, 3, 6)
if generation == next_gen then return 1 end
if generation ~= expected then return 0 end
local _, _, _, tokens, body = struct.unpack('>c2I4I2I2I4', head)
local states = header + body
if redis.call('STRLEN', chunk) == states then
  redis.call('SETRANGE', chunk, states, string.rep('\0', tokens))
end
redis.call('SETRANGE', chunk, 2, next_gen)
return 1
