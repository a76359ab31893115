package ledger

import (
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

// InvalidToken is one entry of the invalid-token feed.
type InvalidToken struct {
	App, Vendor, Token, Code, Reason, Job string
	Action, Replacement                   string
	// At is when the token was found invalid, at the latest: an application
	// compares it with the time at which the phone registered. Zero: when it is
	// recorded.
	At time.Time
}

// actionDelete is the action of tokens that are dead for good: they are marked,
// so that no job that was enqueued before is sent to them.
const actionDelete = "delete"

// Guard says when a vendor's verdicts are no longer believed: when of the
// tokens that it answered for in the last ten minutes, Min at least, more than
// Ratio were invalid. Then entries are held instead of fed.
type Guard struct {
	Min   int // 0: the guard is off
	Ratio float64
}

// Standing is what became of a step's invalid tokens.
type Standing int

// The standings.
const (
	Fed   Standing = iota // they entered the feed; or there are none
	Held                  // the guard holds them
	Alarm                 // the guard holds them, and held none just before
)

// AlarmText is what an operator is told where the Standing is Alarm.
const AlarmText = "nearly all tokens come back invalid: entries of the feed are held until somebody confirms them: see enqueue invalid held"

// foundLua is what scripts share that record invalid tokens.
//
// The guard counts by the minute, in a hash with the fields "a<minute>"
// (answered), "i<minute>" (invalid) and, while entries are held, "held" (since
// when). A step without invalid tokens costs it one HINCRBY.
const foundLua = `
-- judge counts answers, with what is being recorded among them, and answers 0 to
-- feed, 1 to hold, 2 to hold for the first time. asked: there is something to judge.
local function judge(key, now, answered, invalid, asked, least, ratio)
  if least <= 0 then return 0 end
  local minute = math.floor(now / 60)
  if answered > 0 and redis.call('HINCRBY', key, 'a' .. minute, answered) == answered then
    for _, f in ipairs(redis.call('HKEYS', key)) do
      local m = tonumber(string.sub(f, 2))
      if m and m < minute - 10 then redis.call('HDEL', key, f) end
    end
    redis.call('EXPIRE', key, 1200)
  end
  if invalid > 0 then redis.call('HINCRBY', key, 'i' .. minute, invalid) end
  if not asked then return 0 end
  local sum, held, all = { a = 0, i = 0 }, false, redis.call('HGETALL', key)
  for j = 1, #all, 2 do
    local kind, m = string.sub(all[j], 1, 1), tonumber(string.sub(all[j], 2))
    if all[j] == 'held' then
      held = true
    elseif m >= minute - 10 then
      sum[kind] = sum[kind] + tonumber(all[j + 1])
    end
  end
  if sum.a < least or sum.i / sum.a <= ratio then
    if held then redis.call('HDEL', key, 'held') end
    return 0
  end
  if held then return 1 end
  redis.call('HSET', key, 'held', now)
  return 2
end

-- found puts the entry ARGV[from..to] where it belongs. One that enters the feed
-- leaves its mark, if it has one.
local function found(hold, feed, held, marks, mark, at, from, to)
  if hold then
    redis.call('XADD', held, '*', unpack(ARGV, from, to))
    return
  end
  redis.call('XADD', feed, '*', unpack(ARGV, from, to))
  if mark ~= '' then redis.call('ZADD', marks, 'GT', at, mark) end
end

-- forget takes out marks that are older than any job that they could concern.
local function forget(marks, now, keep)
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', (now - keep) * 1000)
  redis.call('EXPIRE', marks, keep)
end
`

// appendTo appends what found needs: mark, its time, number of words, words.
func (t InvalidToken) appendTo(args []any, now time.Time) []any {
	at, mark := t.At, ""
	if at.IsZero() {
		at = now
	}
	if t.Action == actionDelete {
		mark = wire.Mark(t.Token)
	}
	w := []any{
		"app", t.App, "vendor", t.Vendor, "token", t.Token, "code", t.Code, "reason", t.Reason,
		"job", t.Job, "at", stamp(at), "action", t.Action,
	}
	if t.Replacement != "" {
		w = append(w, "replacement", t.Replacement)
	}
	return append(append(args, mark, at.UnixMilli(), len(w)), w...)
}
