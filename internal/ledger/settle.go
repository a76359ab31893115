package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Step is what one run has found out about a chunk, to be recorded at once or,
// if somebody else recorded a step in between, not at all.
type Step struct {
	Ref string
	// Lane and Open are where the open work is listed, and its member: it goes with
	// the chunk. OpenNext, if it is not "", takes its place, with the score Expires.
	Lane, Open, OpenNext string
	Expires              int64
	// App and Vendor are whose tokens they are.
	App, Vendor string
	// Gen is the generation that the step follows, Next the one that it leaves:
	// see Follow.
	Gen, Next uint32
	Cap       int
	// States are the tokens' states with the chunk's tail after them.
	States []byte
	// Offset is where the states stand.
	Offset int
	// Done: every token is resolved; the chunk goes.
	Done bool
	Jobs []JobStep
	// Answered is how many tokens the vendor has given its verdict on: those
	// that it accepted, and those that it called bad.
	Answered int
	Invalid  []InvalidToken
	Dead     []DeadLetter
	// Standing is what became of Invalid; Settle sets it where the step was recorded.
	Standing Standing
	// Ended is set by Settle where the step comes too late since a step that ended
	// the chunk was recorded: an earlier sending of this one whose reply was lost,
	// or another run's. Nothing is left of the chunk that could tell.
	Ended bool
}

// Follow makes the step the next one after a generation.
func (s *Step) Follow(gen uint32) { s.Gen, s.Next = gen, nextStep(gen) }

// JobStep is what a step changes in one job's ledger.
type JobStep struct {
	Job    string
	Single bool
	// Counts has tokens by outcome and answers by code.
	Outcomes map[wire.Outcome]int
	Codes    map[string]int
}

// DeadLetter is one entry of the dead letters: tokens that ended dead for one reason.
type DeadLetter struct {
	App, Vendor, Job, Code, Class string
	Reason                        wire.DeadReason
	// Detail is what the vendor or the network said of it.
	Detail   string
	Attempts int
	Tokens   string // newline-separated
	// What a replay needs. Key is the tokens' idempotency key, where it does not
	// follow from job and message.
	Message, Priority, Delivery, Key string
	Start, Expires                   int64 // Unix milliseconds
}

// settleScript records one step of a chunk.
//
//	KEYS: chunk, feed, dead stream, held entries, guard, marks, open work, the chunk's jobs, then of each job: ledger, message
//	ARGV: generation expected (4 bytes), head to write (6 bytes), states, their offset,
//	      "1" if the chunk is done, now (Unix s), now (base 36),
//	      keep (s), keep of a single ledger (s), number of jobs, number of entries,
//	      tokens answered, tokens invalid, guard's least (0: it is off) and ratio, member of the open work,
//	      the one in its place or "", its score,
//	      of each job: "s" or "h", number of fields, then field and count;
//	        fields are outcomes and codes; for "s" outcomes' letters and short codes
//	      of each entry: index of its stream in KEYS, mark, its time (ms), number of words, words
//	Returns 0 if the step comes too late, -1 if it would end the chunk and one that did was
//	recorded, this one or another, 1 if it was recorded, now or before, 2 if its invalid
//	tokens were held besides, 3 if it is the first of which they were.
var settleScript = redis.NewScript(foundLua + `
local gen = redis.call('GETRANGE', KEYS[1], 2, 5)
if gen ~= ARGV[1] then
  if gen == '' and ARGV[5] == '1' and not redis.call('ZSCORE', KEYS[7], ARGV[16]) then return -1 end
  return gen == string.sub(ARGV[2], 1, 4) and 1 or 0
end
if ARGV[5] == '1' then
  redis.call('DEL', KEYS[1], KEYS[8])
  redis.call('ZREM', KEYS[7], ARGV[16])
else
  redis.call('SETRANGE', KEYS[1], ARGV[4], ARGV[3])
  redis.call('SETRANGE', KEYS[1], 2, ARGV[2])
  if ARGV[17] ~= '' then
    redis.call('ZREM', KEYS[7], ARGV[16])
    redis.call('ZADD', KEYS[7], ARGV[18], ARGV[17])
  end
end

local function single(key, a, n)
  local v = redis.call('GET', key)
  if not v then return end
  local letter, number, rest = string.match(v, '^1(%a)(%w+)(.*)$')
  if letter ~= 'p' and letter ~= 'q' then return end
  local outcome
  for i = a, a + 2 * n - 2, 2 do
    local field, count = ARGV[i], tonumber(ARGV[i + 1])
    if #field == 1 then
      outcome = field
    else
      -- The code may stand there as the beginning of a longer one.
      local from, to, mark = 1, 0
      repeat
        from, to = string.find(rest, ' ' .. field, to + 1, true)
        mark = to and string.sub(rest, to + 1, to + 1)
      until not from or mark == '' or mark == ' ' or mark == '='
      if from then
        local before, after = string.sub(rest, 1, to), string.sub(rest, to + 1)
        local have = string.match(after, '^=(%d+)')
        if have then after = string.sub(after, #have + 2) end
        rest = before .. '=' .. (tonumber(have or 1) + count) .. after
      elseif count == 1 then
        rest = rest .. ' ' .. field
      else
        rest = rest .. ' ' .. field .. '=' .. count
      end
    end
  end
  if outcome then
    local keep = math.max(tonumber(number, 36), tonumber(ARGV[9]))
    redis.call('SET', key, '1' .. outcome .. ARGV[7] .. rest, 'EX', keep)
  else
    redis.call('SET', key, '1' .. letter .. number .. rest, 'KEEPTTL')
  end
end

local function hash(key, message, a, n)
  if redis.call('EXISTS', key) == 0 then return end
  for i = a, a + 2 * n - 2, 2 do
    redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1])
  end
  local v = redis.call('HMGET', key, 'accepted', 'delivered', 'invalid', 'dropped', 'expired', 'dead', 'canceled', 'state', 'keep')
  local pending = tonumber(v[1])
  for i = 2, 7 do pending = pending - tonumber(v[i] or 0) end
  if pending > 0 or v[8] == 'staging' or v[8] == 'sealed' then return end
  if v[8] == 'running' then redis.call('HSET', key, 'state', 'done') end
  redis.call('HSET', key, 'ended', ARGV[6])
  redis.call('EXPIRE', key, math.max(tonumber(v[9] or 0), tonumber(ARGV[8])))
  redis.call('DEL', message)
end

local a = 19
for j = 1, tonumber(ARGV[10]) do
  local n = tonumber(ARGV[a + 1])
  if ARGV[a] == 's' then
    single(KEYS[7 + 2 * j], a + 2, n)
  else
    hash(KEYS[7 + 2 * j], KEYS[8 + 2 * j], a + 2, n)
  end
  a = a + 2 + 2 * n
end
local now, invalid = tonumber(ARGV[6]), tonumber(ARGV[13])
local held = judge(KEYS[5], now, tonumber(ARGV[12]), invalid, invalid > 0, tonumber(ARGV[14]), tonumber(ARGV[15]))
for _ = 1, tonumber(ARGV[11]) do
  local n = tonumber(ARGV[a + 3])
  local stream = KEYS[tonumber(ARGV[a])]
  if stream == KEYS[2] then
    found(held > 0, stream, KEYS[4], KEYS[6], ARGV[a + 1], ARGV[a + 2], a + 4, a + 3 + n)
  else
    redis.call('XADD', stream, '*', unpack(ARGV, a + 4, a + 3 + n))
  end
  a = a + 4 + n
end
if invalid > 0 then forget(KEYS[6], now, tonumber(ARGV[8])) end
return 1 + held
`)

// Settle records the steps, each for itself, in one round trip. It answers of
// each whether it was recorded, now or before; false means that another run was
// first, or that the chunk is done: see Step.Ended.
func (s *Store) Settle(ctx context.Context, steps []*Step) ([]bool, error) {
	now := s.now()
	out := make([]bool, len(steps))
	for again := false; ; again = true {
		cmds := make([]*redis.Cmd, len(steps))
		s.ask(ctx, len(steps), func(p redis.Cmdable) {
			for i, st := range steps {
				keys, args := s.settleArgs(st, now)
				cmds[i] = settleScript.EvalSha(ctx, p, keys, args...)
			}
		})
		// One that knew the script may have been before one that did not.
		if !again && redis.HasErrorPrefix(cmds[0].Err(), "NOSCRIPT") {
			if err := settleScript.Load(ctx, s.Redis).Err(); err != nil {
				return nil, fmt.Errorf("load settle script: %w", err)
			}
			continue
		}
		var faults []error
		for i, cmd := range cmds {
			n, err := cmd.Int()
			if err != nil {
				faults = append(faults, fmt.Errorf("settle chunk %s: %w", steps[i].Ref, err))
			}
			out[i] = n > 0
			steps[i].Ended = n < 0
			steps[i].Standing = Standing(max(0, n-1))
		}
		return out, errors.Join(faults...)
	}
}

func (s *Store) settleArgs(st *Step, now time.Time) ([]string, []any) {
	keys := make([]string, 0, 8+2*len(st.Jobs))
	keys = append(keys, wire.ChunkKey(st.Ref), wire.InvalidStream, wire.DeadStream, wire.HeldStream,
		wire.GuardKey(st.App, st.Vendor, ""), wire.GoneKey(st.App, st.Vendor),
		wire.OpenKey(st.Lane), wire.PackJobsKey(st.Ref))
	done := "0"
	if st.Done {
		done = "1"
	}
	args := make([]any, 0, 18+8*len(st.Jobs)+22*len(st.Invalid)+40*len(st.Dead))
	args = append(args,
		wire.Head(st.Gen, 0)[:wire.GenLength], wire.Head(st.Next, st.Cap), string(st.States),
		st.Offset, done, now.Unix(), strconv.FormatInt(now.Unix(), 36),
		int64(s.keep()/time.Second), int64(singleKeep/time.Second), len(st.Jobs), len(st.Invalid)+len(st.Dead),
		st.Answered, len(st.Invalid), s.Guard.Min, s.Guard.Ratio, st.Open, st.OpenNext, st.Expires)
	for _, j := range st.Jobs {
		keys = append(keys, wire.JobKey(j.Job), wire.MessageKey(j.Job))
		form := "h"
		if j.Single {
			form = "s"
		}
		args = append(args, form, len(j.Outcomes)+len(j.Codes))
		for o, n := range j.Outcomes {
			field := string(o)
			if j.Single {
				field = o.Letter()
			}
			args = append(args, field, n)
		}
		for code, n := range j.Codes {
			if j.Single {
				code = wire.ShortCode(code)
			}
			args = append(args, code, n)
		}
	}
	for _, t := range st.Invalid {
		args = t.appendTo(append(args, 2), now)
	}
	for _, d := range st.Dead {
		args = append(args, d.words(stamp(now))...)
	}
	return keys, args
}

// stamp is how entries of the streams tell time.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (d DeadLetter) words(at string) []any {
	words := []any{
		3, "", 0, 0, "v", wire.DeadVersion, "app", d.App, "vendor", d.Vendor, "job", d.Job, "code", d.Code, "reason", string(d.Reason),
		"detail", d.Detail, "class", d.Class, "attempts", d.Attempts, "at", at, "tokens", d.Tokens, "message", d.Message,
		"priority", d.Priority, "delivery", d.Delivery, "start", d.Start, "expires", d.Expires,
	}
	if d.Key != "" {
		words = append(words, "key", d.Key)
	}
	words[3] = len(words) - 4
	return words
}
