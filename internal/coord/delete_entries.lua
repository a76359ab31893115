-- Deletes entries of a stream.
--
-- Uses: once
-- KEYS
--  stream  the stream
--  call    what this call has done
-- ARGV of each entry
--  id      the entry's id
-- Returns for each entry 1 if this call deleted it, else 0.
local out = {}
for i = 1, entry_count do
  local id = entry_at(i)
  out[i] = redis.call('XDEL', stream, id)
  if out[i] == 1 then
    note(call, id)
  elseif did(call, id) then
    out[i] = 1
  end
end
return out
