package play

import (
	"sync"
	"time"
)

// beijing is the time zone in which the vendors' days begin: UTC+8, without
// daylight saving time.
const beijing = 8 * time.Hour

// DayCounter counts something by key and by day in Beijing, for quotas that are
// reset at midnight there. The zero value is ready to use, by many goroutines at
// once.
type DayCounter struct {
	mu   sync.Mutex
	days map[string]dayCount
}

// dayCount is the count of one key on one day.
type dayCount struct {
	day int64 // since 1970-01-01
	n   int
}

// Used returns what was counted for a key on the day of now.
func (d *DayCounter) Used(key string, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.today(key, now).n
}

// Add counts n more.
func (d *DayCounter) Add(key string, now time.Time, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(key, now, n)
}

// Take counts one more, unless the count has reached the limit: then it is false.
// 0 means no limit.
func (d *DayCounter) Take(key string, now time.Time, limit int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if limit > 0 && d.today(key, now).n >= limit {
		return false
	}
	d.put(key, now, 1)
	return true
}

func (d *DayCounter) today(key string, now time.Time) dayCount {
	day := now.Add(beijing).Unix() / int64((24 * time.Hour).Seconds())
	if c := d.days[key]; c.day == day {
		return c
	}
	return dayCount{day: day}
}

func (d *DayCounter) put(key string, now time.Time, n int) {
	c := d.today(key, now)
	c.n += n
	if d.days == nil {
		d.days = map[string]dayCount{}
	}
	d.days[key] = c
}

// HourInBeijing is the hour of the day there, 0 to 23.
func HourInBeijing(now time.Time) int { return now.UTC().Add(beijing).Hour() }
