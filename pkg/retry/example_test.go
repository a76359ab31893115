package retry_test

import (
	"fmt"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/retry"
)

func ExampleDecide() {
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	policy := retry.Policy{Attempts: 3, First: time.Second, Max: time.Minute}
	busy := retry.Result{Row: classify.Row{Class: classify.Retryable, Remedy: classify.Backoff, Scope: classify.ScopeBatch}}
	for attempt := 1; attempt <= 3; attempt++ {
		d := retry.Decide(policy, busy, retry.State{Attempt: attempt, Now: now, Expires: now.Add(time.Hour)})
		if d.Verdict == retry.Again {
			fmt.Printf("attempt %d: again in %v\n", attempt, d.At.Sub(now))
			continue
		}
		fmt.Printf("attempt %d: %s, %s\n", attempt, d.Outcome, d.Reason)
	}

	// Output:
	// attempt 1: again in 500ms
	// attempt 2: again in 1s
	// attempt 3: dead, attempts
}
