package classify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"pgregory.net/rapid"
)

func TestAQuotaIsResetInBeijingTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		window classify.Window
		now    string
		want   string
	}{
		{"a day in the evening", classify.Day, "2026-11-21T22:00:00+08:00", "2026-11-22T00:00:00+08:00"},
		{"without a word it is the day", "", "2026-11-21T22:00:00+08:00", "2026-11-22T00:00:00+08:00"},
		{"a day just before midnight", classify.Day, "2026-11-21T23:59:59.999999999+08:00", "2026-11-22T00:00:00+08:00"},
		{"a day at midnight is the next one", classify.Day, "2026-11-22T00:00:00+08:00", "2026-11-23T00:00:00+08:00"},
		{"when Beijing is a day ahead of Greenwich", classify.Day, "2026-11-21T16:00:00Z", "2026-11-23T00:00:00+08:00"},
		{"when it is not yet", classify.Day, "2026-11-21T15:59:59Z", "2026-11-22T00:00:00+08:00"},
		{"when it is still yesterday in New York", classify.Day, "2026-11-20T19:00:00-05:00", "2026-11-22T00:00:00+08:00"},
		{"at the end of a leap February", classify.Day, "2028-02-29T12:00:00+08:00", "2028-03-01T00:00:00+08:00"},
		{"at the end of the year", classify.Day, "2026-12-31T12:00:00+08:00", "2027-01-01T00:00:00+08:00"},
		{"a time of day that is still to come", "07:00", "2026-11-21T06:59:59+08:00", "2026-11-21T07:00:00+08:00"},
		{"a time of day that has come", "07:00", "2026-11-21T07:00:00+08:00", "2026-11-22T07:00:00+08:00"},
		{"a time of day from the evening before", "07:00", "2026-11-21T23:30:00+08:00", "2026-11-22T07:00:00+08:00"},
		{"a time of day that is tomorrow in Greenwich", "07:00", "2026-11-21T23:30:00Z", "2026-11-23T07:00:00+08:00"},
		{"a week on a Saturday", classify.Week, "2026-11-21T12:00:00+08:00", "2026-11-23T00:00:00+08:00"},
		{"a week on a Sunday", classify.Week, "2026-11-22T23:59:59+08:00", "2026-11-23T00:00:00+08:00"},
		{"a week on a Monday is the next one", classify.Week, "2026-11-23T00:00:00+08:00", "2026-11-30T00:00:00+08:00"},
		{"a week over the end of the year", classify.Week, "2026-12-29T12:00:00+08:00", "2027-01-04T00:00:00+08:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.window.Next(now).Format(time.RFC3339); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheNextWindowIsAheadAndNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(r, "now"), rapid.Int64Range(0, 999_999_999).Draw(r, "ns"))
		w := rapid.SampledFrom([]classify.Window{classify.Day, classify.Week, "", "07:00", "23:59", "00:00"}).Draw(r, "window")
		longest := 24 * time.Hour
		if w == classify.Week {
			longest *= 7
		}
		next := w.Next(now)
		if wait := next.Sub(now); wait <= 0 || wait > longest {
			r.Errorf("%s begins %v after %v, want within %v", w, wait, now, longest)
		}
		if again := w.Next(next); !again.Equal(next.Add(longest)) {
			r.Errorf("after %v %s begins at %v, want %v later", next, w, again, longest)
		}
	})
}

func TestAMalformedWindowIsRefused(t *testing.T) {
	t.Parallel()
	for _, w := range []classify.Window{"month", "7:00", "24:00", "07:60", "07:00:00", "-"} {
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), "want day, week or a time of day like 07:00") {
			t.Errorf("%q: got %v", w, err)
		}
	}
}
