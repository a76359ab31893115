package simulator

import (
	"sync"
	"time"
)

// xiaomiDay counts every app's messages of a day in Beijing, at whose midnight
// the quota begins anew. The zero value is ready to use.
type xiaomiDay struct {
	mu   sync.Mutex
	apps map[string]xiaomiUse
}

// xiaomiUse is what an app used of a day's quota.
type xiaomiUse struct {
	day int64
	n   int
}

// of returns how many messages an app has had on the day of now.
func (d *xiaomiDay) of(app string, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.use(app, now).n
}

// add counts n messages more.
func (d *xiaomiDay) add(app string, now time.Time, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(app, now, n)
}

// take counts one message more, unless that would be over most; 0: no limit.
func (d *xiaomiDay) take(app string, now time.Time, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if most > 0 && d.use(app, now).n >= most {
		return false
	}
	d.put(app, now, 1)
	return true
}

func (d *xiaomiDay) use(app string, now time.Time) xiaomiUse {
	const beijing, day = 8 * 3600, 24 * 3600
	today := (now.Unix() + beijing) / day
	if u := d.apps[app]; u.day == today {
		return u
	}
	return xiaomiUse{day: today}
}

func (d *xiaomiDay) put(app string, now time.Time, n int) {
	u := d.use(app, now)
	u.n += n
	if d.apps == nil {
		d.apps = map[string]xiaomiUse{}
	}
	d.apps[app] = u
}
