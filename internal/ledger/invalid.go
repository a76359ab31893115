package ledger

import (
	"time"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// InvalidToken is one entry of the invalid-token feed.
type InvalidToken struct {
	App, Vendor, Token, Code, Reason, Job string
	Action, Replacement                   string
	// At is when the token was found invalid, at the latest: an application compares it
	// with the time at which the phone registered. Zero: the time of recording.
	At time.Time
}

// Guard says when a vendor's verdicts are no longer believed: when it gave verdicts on
// at least Min tokens in the last ten minutes, and more than Ratio of them were
// invalid. Then entries are quarantined.
type Guard struct {
	Min   int // 0: the guard is off
	Ratio float64
}

// Standing is what became of a step's invalid tokens.
type Standing int

// The standings.
const (
	Fed         Standing = iota // they are in the feed; or there are none
	Quarantined                 // they are quarantined
	Alarm                       // they are quarantined, and those just before were not
)

// AlarmText is what is logged if the Standing is Alarm.
const AlarmText = "nearly all tokens are reported invalid: new entries of the feed are quarantined until an operator confirms them: see enqueue invalid held"

// addTo adds the entry's row to a call, and returns the words of the entry, which
// follow all rows.
func (t InvalidToken) addTo(c *lua.Call, now time.Time) (words []any) {
	at, mark := t.At, ""
	if at.IsZero() {
		at = now
	}
	if t.Action == wire.ActionDelete {
		mark = wire.Mark(t.Token)
	}
	words = wire.InvalidEntry{
		App: t.App, Vendor: t.Vendor, Token: t.Token, Code: t.Code, Reason: t.Reason, Job: t.Job, At: stamp(at),
		Action: t.Action, Replacement: t.Replacement,
	}.Words()
	c.Arg("mark", mark).Arg("at", at.UnixMilli()).Arg("words", len(words))
	return words
}
