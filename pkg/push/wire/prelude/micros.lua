-- micros(given) is the time in µs: the given one, or Redis's own if none is.
local function micros(given)
  local now = tonumber(given)
  if now then return now end
  local t = redis.call('TIME')
  return t[1] * 1e6 + t[2]
end

-- whole(n) writes a number without its fraction and without an exponent.
local function whole(n) return string.format('%.0f', n) end
