package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
)

// asynq adds the delay to its own now and cuts the sum to whole seconds.
func TestADelayIsNeverCutToBeforeItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, past := range []time.Duration{0, 1, 400 * time.Millisecond, 999 * time.Millisecond} {
			<-time.After(past) // now is not a whole second
			for _, wait := range []time.Duration{0, 1, time.Millisecond, 500 * time.Millisecond, 999_999_999, time.Second, time.Hour + 1} {
				at := time.Now().Add(wait)
				d := retryDelay(3, fmt.Errorf("handle: %w", &AgainError{At: at}), time.Now())
				cut := time.Unix(time.Now().Add(d).Unix(), 0)
				if cut.Before(at) || cut.After(at.Add(time.Second)) {
					t.Errorf("at %v for %v: it comes at %v", at, wait, cut)
				}
			}
		}
	})
}

func TestHowAsynqIsToTakeAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		tried    int
		delay    time.Duration
		failure  bool
		archived bool
	}{
		"again, and it counts":                     {&AgainError{At: time.Unix(0, 0), Counted: true}, 0, 0, true, false},
		"again, and it does not count":             {fmt.Errorf("handle: %w", &AgainError{At: time.Unix(0, 0)}), 0, 0, false, false},
		"a lease that was lost comes again soon":   {asynq.ErrLeaseExpired, 9, 0, false, false},
		"a run that was stopped":                   {context.Canceled, 0, time.Second, false, false},
		"an unknown error for the first time":      {errors.New("redis is away"), 0, time.Second, true, false},
		"an unknown error for the fourth time":     {errors.New("redis is away"), 3, 8 * time.Second, true, false},
		"an unknown error for the thousandth time": {errors.New("redis is away"), 1000, time.Minute, true, false},
		"dead letters were written":                {fmt.Errorf("handle: %w", &DeadError{Reason: "dead"}), 0, time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := retryDelay(c.tried, c.err, time.Now()); got != c.delay {
				t.Errorf("the delay is %v, want %v", got, c.delay)
			}
			if got := isFailure(c.err); got != c.failure {
				t.Errorf("it counts: %v, want %v", got, c.failure)
			}
			if got := errors.Is(c.err, asynq.SkipRetry); got != c.archived {
				t.Errorf("it is archived: %v, want %v", got, c.archived)
			}
		})
	}
}
