package clock_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/clock"
	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestAClockThatIsOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		off     time.Duration
		redis   bool   // Now returns Redis's time
		fault   string // what Err says
		message string // what is logged
	}{
		"right":                {0, false, "", ""},
		"1.5 s ahead":          {3 * time.Second / 2, false, "", ""},
		"twenty seconds ahead": {20 * time.Second, true, "", "20s ahead of Redis's: the worker uses Redis's time"},
		"twenty behind":        {-20 * time.Second, true, "", "20s behind Redis's: the worker uses Redis's time"},
		"hours ahead":          {3 * time.Hour, true, "3h0m0s ahead of Redis's: no task is taken until they agree within 30s", "takes no tasks"},
		"hours behind":         {-3 * time.Hour, true, "3h0m0s behind Redis's", "takes no tasks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			k := &clock.Clock{
				Redis: redistest.Client(t), Log: zerolog.New(&log), Wall: func() time.Time { return time.Now().Add(c.off) },
			}
			if err := k.Err(); err != nil {
				t.Errorf("before Redis was asked: %v", err)
			}
			for range 2 { // it is logged once
				if err := k.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := time.Until(k.Now()).Abs() < time.Second; got != (c.redis || c.off == 0) {
				t.Errorf("Now is %v, want about %v", k.Now(), time.Now())
			}
			if err := k.Err(); (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got error %v, want %q", err, c.fault)
			}
			if lines := strings.Count(log.String(), "\n"); !strings.Contains(log.String(), c.message) || lines > 1 || (lines == 1) != (c.message != "") {
				t.Errorf("logged %q, want one line with %q", log.String(), c.message)
			}
		})
	}
}

// A clock that is set wrong between two checks is noticed at once, and one that
// is corrected is used again.
func TestAClockThatIsSetBetweenTwoChecks(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	off := time.Duration(0)
	k := &clock.Clock{Redis: redistest.Client(t), Log: zerolog.New(&log), Wall: func() time.Time { return time.Now().Add(off) }}
	if err := k.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	off = 5 * time.Hour
	if err := k.Err(); err == nil || time.Until(k.Now()).Abs() > time.Second {
		t.Errorf("after it was set wrong: %v, Now is %v", err, k.Now())
	}
	if err := k.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	off = 0
	if err := k.Check(t.Context()); err != nil || k.Err() != nil {
		t.Errorf("after it was set right: %v, %v", err, k.Err())
	}
	if !strings.Contains(log.String(), "agrees with Redis's again") {
		t.Errorf("logged %q", log.String())
	}
}
