-- single(key) reads the ledger of a job with one token: the letter of its
-- outcome, its number in base 36, and what follows; see Single in wire. It
-- returns nil where there is none, or one of a later version.
local function single(key)
  return string.match(redis.call('GET', key) or '', '^1(%a)(%w+)(.*)$')
end
