package main

import (
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/cli"
)

// parseTime reads the value of a flag: a time, or a duration before (direction
// -1) or after (direction 1) now. An empty value is the zero time.
func parseTime(flag, s string, direction time.Duration) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && (d >= 0 || direction > 0) {
		return time.Now().Add(direction * d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		relative := "from now"
		if direction < 0 {
			relative = "before now"
		}
		return time.Time{}, usage(fmt.Errorf("--%s: %q is not a time: use RFC 3339 like 2026-11-21T09:00:00+08:00, or a duration %s like 2h",
			flag, cli.Quotable(s), relative))
	}
	return t, nil
}
