package status

import (
	"strconv"
	"strings"
	"time"
)

// ago formats a number of seconds for people; "" for 0.
func ago(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// clock is a time for people, with its day and zone.
func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }

// number writes a count with thin spaces, so that a million can be read.
func number(v any) string {
	var s string
	switch n := v.(type) {
	case int:
		s = strconv.Itoa(n)
	case int64:
		s = strconv.FormatInt(n, 10)
	case float64:
		s = strconv.FormatFloat(n, 'f', 0, 64)
	}
	const group, thin = 3, "\u202f"
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%group == 0 {
			b.WriteString(thin)
		}
		b.WriteRune(c)
	}
	return b.String()
}

func join(list []string) string { return strings.Join(list, ", ") }
