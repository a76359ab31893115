package coord_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/postrider/postrider/internal/coord"
)

type key struct{}

// crowd has callers ask for the same work, and returns their cancels and errors.
func crowd(t *testing.T, g *coord.Flight[string, int], n int, work func(context.Context) (int, error)) ([]context.CancelFunc, []chan error) {
	t.Helper()
	cancels, errs := make([]context.CancelFunc, n), make([]chan error, n)
	for i := range n {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, i))
		cancels[i], errs[i] = cancel, make(chan error, 1)
		go func() {
			_, err := g.Do(ctx, "k", work)
			errs[i] <- err
		}()
		synctest.Wait() // the first caller is the first
	}
	return cancels, errs
}

func TestTheOthersGetTheirAnswerWhenOneCallerIsCancelled(t *testing.T) {
	t.Parallel()
	for name, leaver := range map[string]int{"the first one": 0, "another one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var g coord.Flight[string, int]
				var runs atomic.Int32
				end := make(chan struct{})
				cancels, errs := crowd(t, &g, 3, func(ctx context.Context) (int, error) {
					runs.Add(1)
					if ctx.Value(key{}) != 0 {
						t.Error("the work lacks the first caller's values")
					}
					<-end
					return 1, ctx.Err()
				})
				cancels[leaver]()
				if err := <-errs[leaver]; !errors.Is(err, context.Canceled) {
					t.Errorf("the cancelled caller got %v", err)
				}
				close(end)
				for i := range errs {
					if i != leaver {
						if err := <-errs[i]; err != nil {
							t.Errorf("caller %d: %v", i, err)
						}
						cancels[i]()
					}
				}
				if n := runs.Load(); n != 1 {
					t.Errorf("the work was done %d times", n)
				}
			})
		})
	}
}

func TestWorkEndsWhenEverybodyHasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g coord.Flight[string, int]
		ended, linger := make(chan struct{}), make(chan struct{})
		cancels, errs := crowd(t, &g, 2, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			close(ended)
			<-linger // it takes its time
			return 0, ctx.Err()
		})
		for i := range cancels {
			cancels[i]()
			<-errs[i]
		}
		<-ended
		// A new caller gets its own run: the old one has ended for all callers.
		if v, err := g.Do(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		close(linger)
	})
}

func TestAPanicIsTheCallers(t *testing.T) {
	t.Parallel()
	var g coord.Flight[string, int]
	defer func() {
		if got := recover(); got != "oh" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, _ = g.Do(t.Context(), "k", func(context.Context) (int, error) { panic("oh") })
}

func TestGoexitIsTheCallers(t *testing.T) {
	t.Parallel()
	var g coord.Flight[string, int]
	over, returned := make(chan struct{}), false
	go func() {
		defer close(over)
		_, _ = g.Do(t.Context(), "k", func(context.Context) (int, error) {
			runtime.Goexit()
			return 0, nil
		})
		returned = true
	}()
	<-over
	if returned {
		t.Error("the caller went on without a result")
	}
}
