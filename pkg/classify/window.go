package classify

import (
	"fmt"
	"time"
)

// Window says when a quota is reset, in Beijing time: Day, Week, or a time of day
// such as "07:00". "" is Day.
type Window string

// The windows that have a name.
const (
	Day  Window = "day"  // the next midnight
	Week Window = "week" // the next midnight before a Monday
)

// clockForm is how a time of day is written.
const clockForm = "15:04"

// Check reports a malformed window.
func (w Window) Check() error {
	if w == "" || w == Day || w == Week {
		return nil
	}
	if _, err := time.Parse(clockForm, string(w)); err != nil || len(w) != len(clockForm) {
		return fmt.Errorf("window is %q, want day, week or a time of day like 07:00", string(w))
	}
	return nil
}

// Next returns the first reset after now. China has had no daylight saving time
// since 1991, so Beijing is always UTC+8. A malformed window counts as Day.
func (w Window) Next(now time.Time) time.Time {
	now = now.In(time.FixedZone("CST", 8*3600))
	y, m, d := now.Date()
	at := func(days int, of time.Time) time.Time {
		return time.Date(y, m, d+days, of.Hour(), of.Minute(), 0, 0, now.Location())
	}
	if w == Week {
		const week = 7
		monday := (int(time.Monday) - int(now.Weekday()) + week) % week
		if monday == 0 {
			monday = week
		}
		return at(monday, time.Time{})
	}
	clock, err := time.Parse(clockForm, string(w))
	if err != nil {
		clock = time.Time{}
	}
	if today := at(0, clock); today.After(now) {
		return today
	}
	return at(1, clock)
}
