package wire

import (
	"strconv"
	"time"
)

// PullPlan is what PullKey holds: when an account's list was last read to its end, and
// when it is due again. A zero time: never.
type PullPlan struct {
	Done, Next time.Time
	// Failures is how many times in a row it could not be read.
	Failures int
}

// Words are the hash's fields and values.
func (p PullPlan) Words() []any {
	done := int64(0)
	if !p.Done.IsZero() {
		done = p.Done.UnixMilli()
	}
	return []any{"done", done, "next", p.Next.UnixMilli(), "failures", p.Failures}
}

// DecodePullPlan reads the hash's fields. Fields that cannot be read are zero.
func DecodePullPlan(fields map[string]string) PullPlan {
	at := func(field string) time.Time {
		ms, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil || ms <= 0 {
			return time.Time{}
		}
		return time.UnixMilli(ms)
	}
	failures, _ := strconv.Atoi(fields["failures"])
	return PullPlan{Done: at("done"), Next: at("next"), Failures: max(0, failures)}
}
