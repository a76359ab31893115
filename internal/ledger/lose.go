package ledger

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// loseScript ends the tokens of a chunk that nobody can read: all that its
// member of the open work says, or what is pending in the ledger if that is less.
// Sent again it finds no member and changes nothing.
//
//	KEYS: open work, chunk, the chunk's jobs, then of each job: ledger, message
//	ARGV: member, now (Unix s), now (base 36), keep (s), keep of a single ledger (s), code,
//	      of each job: tokens
//	Returns how many tokens ended dead.
var loseScript = redis.NewScript(`
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
local sum = 0

local function single(key)
  local letter, number, rest = string.match(redis.call('GET', key), '^1(%a)(%w+)(.*)$')
  if letter ~= 'p' and letter ~= 'q' then return end
  redis.call('SET', key, '1e' .. ARGV[3] .. rest .. ' ' .. ARGV[6], 'EX', math.max(tonumber(number, 36), tonumber(ARGV[5])))
  sum = sum + 1
end

local function hash(key, message, n)
  local v = redis.call('HMGET', key, 'accepted', 'delivered', 'invalid', 'dropped', 'expired', 'dead', 'canceled', 'state', 'keep')
  local pending = tonumber(v[1])
  for i = 2, 7 do pending = pending - tonumber(v[i] or 0) end
  n = math.min(n, pending)
  if n <= 0 then return end
  redis.call('HINCRBY', key, 'dead', n)
  redis.call('HINCRBY', key, ARGV[6], n)
  sum = sum + n
  if pending > n or v[8] == 'staging' or v[8] == 'sealed' then return end
  if v[8] == 'running' then redis.call('HSET', key, 'state', 'done') end
  redis.call('HSET', key, 'ended', ARGV[2])
  redis.call('EXPIRE', key, math.max(tonumber(v[9] or 0), tonumber(ARGV[4])))
  redis.call('DEL', message)
end

for j = 4, #KEYS, 2 do
  local kind = redis.call('TYPE', KEYS[j])
  kind = kind.ok or kind
  if kind == 'string' then
    single(KEYS[j])
  elseif kind == 'hash' then
    hash(KEYS[j], KEYS[j + 1], tonumber(ARGV[5 + j / 2]))
  end
end
return sum
`)

// Lose ends what is left of a chunk that is gone or cannot be read, as far as
// its member of the open work tells, and answers how many tokens ended dead. The
// reason is counted beside them as "vendor/task/reason". Calling it again
// changes nothing.
func (s *Store) Lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) (tokens int, err error) {
	jobs := []wire.PackedJob{{Job: o.Job(), Tokens: o.Tokens}}
	if o.Job() == "" {
		packed, err := s.Redis.Get(ctx, wire.PackJobsKey(o.Chunk)).Result()
		if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
			return 0, fmt.Errorf("read the jobs of chunk %s: %w", o.Chunk, err)
		}
		jobs = wire.DecodePackedJobs(packed)
	}
	now := s.now()
	vendor, _ := wire.SplitLane(lane)
	keys := []string{wire.OpenKey(lane), wire.ChunkKey(o.Chunk), wire.PackJobsKey(o.Chunk)}
	args := []any{
		o.Encode(), now.Unix(), strconv.FormatInt(now.Unix(), 36), int64(s.keep() / time.Second), int64(singleKeep / time.Second),
		vendor + "/task/" + string(reason),
	}
	for _, j := range jobs {
		keys = append(keys, wire.JobKey(j.Job), wire.MessageKey(j.Job))
		args = append(args, j.Tokens)
	}
	tokens, err = loseScript.Run(ctx, s.Redis, keys, args...).Int()
	if err != nil {
		return 0, fmt.Errorf("end chunk %s: %w", o.Chunk, err)
	}
	return tokens, nil
}

//go:embed lose_rest.lua
var loseRestSource string

var loseRestScript = redis.NewScript(loseRestSource)

// lostSomewhere is counted for tokens that are in no chunk: with the chunk went
// its vendor.
const lostSomewhere = "unknown/task/" + string(wire.DeadLostTask)

// LoseRest ends the tokens of a job of several that are pending and in no chunk,
// if there are still as many, and answers how many ended.
func (s *Store) LoseRest(ctx context.Context, job string, pending int) (tokens int, err error) {
	tokens, err = loseRestScript.Run(ctx, s.Redis, []string{wire.JobKey(job), wire.MessageKey(job)},
		pending, lostSomewhere, s.now().Unix(), int64(s.keep()/time.Second)).Int()
	if err != nil {
		return 0, fmt.Errorf("end the rest of job %s: %w", job, err)
	}
	return tokens, nil
}
