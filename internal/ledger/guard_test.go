package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// verdicts is what a vendor says in one step, some minutes after the last.
type verdicts struct {
	after             time.Duration
	answered, invalid int
}

// guarded is a rig whose book has a guard and a clock.
type guarded struct {
	*rig
	now   time.Time
	steps int
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{rig: newRig(t), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	g.book.Guard = ledger.Guard{Min: 20, Ratio: 0.9}
	g.book.Now = func() time.Time { return g.now }
	return g
}

// say records a step of an app, in which so many tokens were answered.
func (g *guarded) say(app string, v verdicts) ledger.Standing {
	g.Helper()
	g.now = g.now.Add(v.after)
	g.steps++
	g.enqueue(job(fmt.Sprint("job-", g.steps), "t"))
	s := step(g.load(), gone, wire.Invalid)
	s.App, s.Vendor, s.Answered = app, "huawei", v.answered
	for i := range v.invalid {
		bad := invalidToken()
		bad.App, bad.Token = app, fmt.Sprint("t-", g.steps, "-", i)
		s.Invalid = append(s.Invalid, bad)
	}
	if ok := g.settle(s); !ok[0] {
		g.Fatal("the step was not recorded")
	}
	return s.Standing
}

func (g *guarded) length(stream string) int { return int(g.rdb.XLen(g.Context(), stream).Val()) }

func TestTheGuardQuarantinesWhenNearlyAllIsInvalid(t *testing.T) {
	t.Parallel()
	const fed, quarantined, alarm = ledger.Fed, ledger.Quarantined, ledger.Alarm
	for name, c := range map[string]struct {
		steps []verdicts
		want  []ledger.Standing
	}{
		"the first chunk of all, all of it bad":    {[]verdicts{{0, 1000, 1000}}, []ledger.Standing{alarm}},
		"too few to tell":                          {[]verdicts{{0, 19, 19}}, []ledger.Standing{fed}},
		"the least that tells":                     {[]verdicts{{0, 20, 20}}, []ledger.Standing{alarm}},
		"just the ratio is not over it":            {[]verdicts{{0, 70, 63}}, []ledger.Standing{fed}},
		"one more is":                              {[]verdicts{{0, 70, 64}}, []ledger.Standing{alarm}},
		"one alarm for an episode":                 {[]verdicts{{0, 30, 30}, {0, 30, 30}, {time.Minute, 1, 1}}, []ledger.Standing{alarm, quarantined, quarantined}},
		"what was good before counts":              {[]verdicts{{0, 100, 0}, {0, 30, 30}}, []ledger.Standing{fed, fed}},
		"nothing invalid is nothing to quarantine": {[]verdicts{{0, 30, 30}, {0, 5, 0}, {0, 1, 1}}, []ledger.Standing{alarm, fed, fed}},
		"singles add up": {
			slices.Repeat([]verdicts{{0, 1, 1}}, 21), append(slices.Repeat([]ledger.Standing{fed}, 19), alarm, quarantined),
		},
		"good ones end the episode, and a new one is a new alarm": {
			[]verdicts{{0, 30, 30}, {0, 300, 0}, {0, 1, 1}, {11 * time.Minute, 30, 30}}, []ledger.Standing{alarm, fed, fed, alarm},
		},
		"ten minutes count": {
			[]verdicts{{0, 300, 0}, {9 * time.Minute, 30, 30}, {3 * time.Minute, 30, 30}}, []ledger.Standing{fed, fed, alarm},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t)
			fedWant, quarantinedWant := 0, 0
			for i, v := range c.steps {
				if got := g.say("shop", v); got != c.want[i] {
					t.Errorf("step %d: got %d, want %d", i, got, c.want[i])
				}
				if c.want[i] == fed {
					fedWant += v.invalid
				} else {
					quarantinedWant += v.invalid
				}
			}
			if f, h := g.length(wire.InvalidStream), g.length(wire.QuarantineStream); f != fedWant || h != quarantinedWant {
				t.Errorf("%d fed and %d quarantined, want %d and %d", f, h, fedWant, quarantinedWant)
			}
			if n := g.rdb.ZCard(t.Context(), wire.GoneKey("shop", "huawei")).Val(); int(n) != fedWant {
				t.Errorf("%d tokens are known to be invalid, want the %d that were fed", n, fedWant)
			}
		})
	}
}

func TestAnAppsGuardKnowsNoOtherApp(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	if g.say("other", verdicts{0, 1000, 0}) != ledger.Fed || g.say("shop", verdicts{0, 20, 20}) != ledger.Alarm {
		t.Error("good answers of one app hide that another's are bad")
	}
	if g.say("other", verdicts{0, 1, 1}) != ledger.Fed {
		t.Error("an app's entries are quarantined for another's sake")
	}
}

// A step that another run was first with says nothing.
func TestALateStepCountsForNothing(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.enqueue(job("a", "t"))
	first := step(g.load(), gone, wire.Invalid)
	late := *first
	late.App, late.Vendor, late.Answered = "shop", "huawei", 1000
	late.Invalid = slices.Repeat([]ledger.InvalidToken{invalidToken()}, 1000)
	if ok := g.settle(first, &late); !ok[0] || ok[1] || late.Standing != ledger.Fed {
		t.Fatalf("got %v, %d", ok, late.Standing)
	}
	if n := g.length(wire.QuarantineStream) + g.length(wire.InvalidStream); n != 0 || g.rdb.Exists(t.Context(), wire.GuardKey("shop", "huawei", "")).Val() != 0 {
		t.Errorf("%d entries, and the guard counts, want nothing", n)
	}
}

func TestTheGuardsCountersStaySmallAndGo(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	for range 60 {
		g.say("shop", verdicts{time.Minute, 10, 1})
	}
	key := wire.GuardKey("shop", "huawei", "")
	if n := g.rdb.HLen(t.Context(), key).Val(); n > 22 {
		t.Errorf("%d counters after an hour, want those of ten minutes", n)
	}
	if ttl := g.rdb.TTL(t.Context(), key).Val(); ttl <= 10*time.Minute || ttl > 20*time.Minute {
		t.Errorf("they stay for %v", ttl)
	}
}

func TestWithoutAGuardAllIsFed(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.book.Guard = ledger.Guard{}
	if g.say("shop", verdicts{0, 1000, 1000}) != ledger.Fed || g.length(wire.InvalidStream) != 1000 {
		t.Error("entries are quarantined")
	}
}

func TestMarksAreOfTokensToBeDeletedAndAreKeptAsLongAsLedgers(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.book.Keep = time.Hour
	found := func(app, token, action string, at time.Time) ledger.InvalidToken {
		return ledger.InvalidToken{App: app, Vendor: "huawei", Token: token, Code: gone, Action: action, At: at}
	}
	add := func(all ...ledger.InvalidToken) {
		t.Helper()
		if n, _, err := g.book.Feed(t.Context(), ledger.Found{App: "shop", Vendor: "huawei", Invalid: all}); err != nil || n != len(all) {
			t.Fatalf("%d added, %v", n, err)
		}
	}
	key := wire.GoneKey("shop", "huawei")
	add(found("shop", "dead", "delete", g.now), found("shop", "off", "suppress", g.now), found("shop", "moved", "replace", g.now))
	marks := g.rdb.ZRangeWithScores(t.Context(), key, 0, -1).Val()
	if len(marks) != 1 || marks[0].Member != wire.Mark("dead") || int64(marks[0].Score) != g.now.UnixMilli() {
		t.Errorf("got %v, want the invalid token at %d", marks, g.now.UnixMilli())
	}
	if ttl := g.rdb.TTL(t.Context(), key).Val(); ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("the marks stay for %v, want an hour", ttl)
	}
	g.now = g.now.Add(40 * time.Minute)
	add(found("shop", "later", "delete", g.now))
	g.now = g.now.Add(40 * time.Minute)
	add(found("shop", "last", "delete", g.now))
	if got := g.rdb.ZRange(t.Context(), key, 0, -1).Val(); !slices.Equal(got, []string{wire.Mark("later"), wire.Mark("last")}) {
		t.Errorf("%d marks are left, want those of the last hour", len(got))
	}
}

func TestFeedAddsATokenOnceADayForACode(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	f := ledger.Found{App: "shop", Vendor: "huawei", Source: "list"}
	for i := range 1203 {
		bad := invalidToken()
		bad.Token = fmt.Sprint("t-", i)
		f.Invalid = append(f.Invalid, bad)
	}
	for i, want := range []int{1203, 0} {
		n, standing, err := g.book.Feed(t.Context(), f)
		if err != nil || n != want || standing != ledger.Fed {
			t.Errorf("time %d: %d added, %d, %v, want %d", i, n, standing, err, want)
		}
	}
	if n := g.length(wire.InvalidStream); n != 1203 {
		t.Errorf("the feed has %d entries", n)
	}
}

// A list of invalid tokens does not say how many are valid: it is judged like answers.
func TestTokensWithoutAnswersAreQuarantinedWhileTheGuardIsOn(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.say("shop", verdicts{0, 30, 30})
	n, standing, err := g.book.Feed(t.Context(), ledger.Found{App: "shop", Vendor: "huawei", Invalid: []ledger.InvalidToken{invalidToken()}})
	if err != nil || n != 1 || standing != ledger.Quarantined || g.length(wire.InvalidStream) != 0 {
		t.Errorf("%d added, %d, %v, want it quarantined", n, standing, err)
	}
}
