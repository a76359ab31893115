package main

import (
	"fmt"
	"time"
)

// since reads the flag of that name: a time, or a duration before now.
func since(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("--since: %q is neither a time like 2026-11-21T09:00:00+08:00 nor a duration like 2h", s))
	}
	return t, nil
}
