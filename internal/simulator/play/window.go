package play

import "time"

const (
	bucketMillis  = 10
	bucketsSecond = 100
)

// window counts the events of the last second, in buckets of 10 ms: the second
// that ends with the current bucket is 990 to 1,000 ms long. When the clock goes
// back, events are counted in the latest bucket. The zero value is ready to use.
type window struct {
	buckets [bucketsSecond]int64
	newest  int64
	sum     int64
	peak    int64
}

// add counts n events at now.
func (w *window) add(now time.Time, n int64) {
	w.advance(now)
	w.buckets[w.newest%bucketsSecond] += n
	w.sum += n
	w.peak = max(w.peak, w.sum)
}

// last returns the events in the second up to now.
func (w *window) last(now time.Time) int64 {
	w.advance(now)
	return w.sum
}

func (w *window) advance(now time.Time) {
	at := max(now.UnixMilli()/bucketMillis, 0)
	if at-w.newest >= bucketsSecond {
		w.buckets, w.sum, w.newest = [bucketsSecond]int64{}, 0, at
	}
	for w.newest < at {
		w.newest++
		b := &w.buckets[w.newest%bucketsSecond]
		w.sum -= *b
		*b = 0
	}
}
