package limit

import (
	"testing"
	"time"
)

func TestHowMuchIsLeased(t *testing.T) {
	t.Parallel()
	lim := Limit{2000, 1000} // the largest block is 100
	now := time.Unix(1_800_000_000, 0)
	p := &newEntry().permits
	step := func(name string, passed time.Duration, used, n, want, back int) {
		t.Helper()
		p.unused -= used
		now = now.Add(passed)
		gotWant, gotBack := p.plan(now, n, lim)
		if gotWant != want || gotBack != back {
			t.Errorf("%s: asks for %d and gives %d back, want %d and %d", name, gotWant, gotBack, want, back)
		}
		p.learn(now, block{n: n, got: gotWant, factor: 1})
	}
	step("the first asks for what it needs", 0, 0, 1, 1, 0)
	step("one that ran out at once is doubled", time.Millisecond, 0, 1, 2, 0)
	step("again", time.Millisecond, 1, 1, 4, 0)
	step("a larger request takes what it needs", time.Millisecond, 3, 60, 60, 0)
	step("never more than the largest", time.Millisecond, 0, 1, 100, 0)
	step("one that grew old shrinks to what was used", useTime, 29, 1, 30, 70)
	step("after long nothing is given back", returnTime, 9, 1, 10, 0)
	p.factor = 1.0 / 64
	step("at a lowered rate blocks are smaller", time.Millisecond, 9, 1, 1, 0)
}

func TestARefusalDoesNotForgetTheDemand(t *testing.T) {
	t.Parallel()
	lim := Limit{2000, 1000}
	now := time.Unix(1_800_000_000, 0)
	p := &newEntry().permits
	p.learn(now, block{n: 40, got: 40, factor: 1})
	for range 3 {
		want, _ := p.plan(now, 1, lim)
		if want != 80 {
			t.Errorf("asks for %d, want 80", want)
		}
		p.learn(now, block{n: 1, got: want, wait: time.Millisecond, factor: 1})
	}
}

func TestLeasedPermitsEnd(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	p := &newEntry().permits
	p.learn(now, block{n: 1, got: 10, factor: 1})
	if _, ok := p.answer(now.Add(useTime-1), 4, false); !ok {
		t.Error("4 of 9 permits were refused while they are good")
	}
	if _, ok := p.answer(now.Add(useTime-1), 6, false); ok {
		t.Error("6 of 5 permits were granted")
	}
	if _, ok := p.answer(now.Add(useTime), 1, false); ok {
		t.Error("a permit was granted after its time")
	}
	if _, back := p.returnAll(now.Add(returnTime)); back != 0 {
		t.Errorf("%d permits are returned after their time, want 0", back)
	}
}
