package retry_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

func stages() []retry.Stage {
	return []retry.Stage{retry.Answered, retry.AccessRefused, retry.Abandoned, retry.NotSent, retry.GrantRefused, retry.Unprepared}
}

// sendsAgain reports whether the token is sent again, now or later.
func sendsAgain(d retry.Decision) bool { return d.Verdict == retry.Again || d.Verdict == retry.Wait }

// situation has all arguments of Decide.
type situation struct {
	p retry.Policy
	r retry.Result
	s retry.State
}

func (x situation) decide() retry.Decision { return retry.Decide(x.p, x.r, x.s) }

// situations also draws classes and remedies that are in no table: with a table from
// a newer version no token may be deleted or counted as sent.
func situations() *rapid.Generator[situation] {
	unknown := []string{"", "later", "none", "delete"}
	class, remedy := slices.Clone(classes()), slices.Clone(remedies())
	for _, u := range unknown {
		class, remedy = append(class, classify.Class(u)), append(remedy, classify.Remedy(u))
	}
	return rapid.Custom(func(t *rapid.T) situation {
		wait := func(name string, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, name))
		}
		first := 1 + wait("first", time.Hour)
		return situation{
			retry.Policy{Attempts: rapid.IntRange(1, 20).Draw(t, "attempts"), First: first, Max: first + wait("max", 24*time.Hour)},
			retry.Result{
				Row: classify.Row{
					Class: rapid.SampledFrom(class).Draw(t, "class"), Remedy: rapid.SampledFrom(remedy).Draw(t, "remedy"),
					Scope: rapid.SampledFrom([]classify.Scope{classify.ScopeToken, classify.ScopeBatch, classify.ScopeApp, "all"}).Draw(t, "scope"),
					Tries: rapid.IntRange(-1, 10).Draw(t, "tries"),
					Level: rapid.SampledFrom(classify.Levels()).Draw(t, "level"),
				},
				Stage:     rapid.SampledFrom(stages()).Draw(t, "stage"),
				OfTokens:  rapid.Bool().Draw(t, "of tokens"),
				Uncertain: rapid.Bool().Draw(t, "uncertain"), Probe: rapid.Bool().Draw(t, "probe"),
				Mixed: rapid.Bool().Draw(t, "mixed"), SeveralJobs: rapid.Bool().Draw(t, "several jobs"), RetryAfter: wait("retry after", 48*time.Hour),
			},
			retry.State{
				Attempt: rapid.IntRange(0, 100).Draw(t, "attempt"), Tries: rapid.IntRange(0, 100).Draw(t, "tried"), Tokens: rapid.IntRange(1, 1000).Draw(t, "tokens"),
				AtMostOnce: rapid.Bool().Draw(t, "at most once"), Now: now(),
				Expires: now().Add(wait("expires", 72*time.Hour) - time.Hour), Jitter: rapid.Float64Range(0, 0.999999).Draw(t, "jitter"),
				QuotaReset:  rapid.SampledFrom([]time.Time{{}, now().Add(-time.Hour), now().Add(wait("reset", 24*time.Hour))}).Draw(t, "quota"),
				ParkedUntil: rapid.SampledFrom([]time.Time{{}, {}, now().Add(wait("parked", 48*time.Hour))}).Draw(t, "parked until"),
			},
		}
	})
}

// holds checks that a rule holds in every situation.
func holds(t *testing.T, rule func(situation, retry.Decision) bool) {
	t.Helper()
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := situations().Draw(t, "situation")
		if d := x.decide(); !rule(x, d) {
			t.Fatalf("got %+v for %+v", d, x)
		}
	})
}

func TestOnlyASuccessIsDelivered(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		return d.Outcome != wire.Delivered || x.r.Row.Class == classify.Success && x.r.Row.Remedy == classify.None
	})
}

func TestOnlyATokenInvalidRowMakesATokenInvalid(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		return d.Outcome != wire.Invalid || x.r.Stage != retry.GrantRefused && x.r.Row.Class == classify.TokenInvalid && x.r.Row.Remedy == classify.DropToken
	})
}

func TestFlowControlQuotaAndConfigurationNeverCountAnAttempt(t *testing.T) {
	free := []classify.Remedy{classify.SlowDown, classify.WaitQuota, classify.RefreshAuth, classify.Config}
	holds(t, func(x situation, d retry.Decision) bool {
		if !slices.Contains(free, d.Remedy) || d.Reason == wire.DeadUnknownOutcome {
			return true
		}
		if x.usedUp(d) {
			return d.Reason == wire.DeadAttempts
		}
		return !d.Counted && (sendsAgain(d) || d.Outcome == wire.Expired)
	})
}

// usedUp reports whether the token had as many requests with the row as it allows.
func (x situation) usedUp(d retry.Decision) bool {
	return d.Remedy.Repeats() && x.r.Row.Tries > 0 && x.s.Tries >= x.r.Row.Tries
}

func TestNoRemedyRepeatsATokenMoreOftenThanItsRowAllows(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool { return !x.usedUp(d) || !sendsAgain(d) })
}

func TestATokenThatUsedUpItsTriesEndsDead(t *testing.T) {
	t.Parallel()
	for _, m := range remedies() {
		for _, scope := range []classify.Scope{classify.ScopeToken, classify.ScopeBatch, classify.ScopeApp} {
			r := retry.Result{Row: classify.Row{Class: classify.Retryable, Remedy: m, Scope: scope, Tries: 2}}
			s := retry.State{Attempt: 1, Tries: 1, Tokens: 1, Now: now(), Expires: now().Add(24 * time.Hour)}
			if !m.Repeats() {
				continue
			}
			if d := retry.Decide(policy(), r, s); d.Verdict != retry.Again {
				t.Errorf("%s, the first of two: got %+v, want again", m, d)
			}
			if s.Tries = 2; !r.CountsTries() {
				t.Errorf("%s: the tries of a row that bounds them are not counted", m)
			}
			if d := retry.Decide(policy(), r, s); d.Outcome != wire.Dead || d.Reason != wire.DeadAttempts {
				t.Errorf("%s, the second of two: got %+v, want dead with reason attempts", m, d)
			}
		}
	}
}

func TestWaitsOfOneMessageOrTokenGrow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remedy classify.Remedy
		scope  classify.Scope
		want   []string
	}{
		{classify.SlowDown, classify.ScopeApp, []string{"1s", "1s"}}, // the app is stopped, with growing waits
		{classify.SlowDown, classify.ScopeBatch, []string{"1s", "2s", "4s", "8s", "16s", "32s", "1m4s", "2m8s", "4m16s", "8m32s", "15m0s", "15m0s"}},
		{classify.SlowDown, classify.ScopeToken, []string{"1m0s", "2m0s", "4m0s", "8m0s", "15m0s"}},
		{classify.Config, classify.ScopeToken, []string{"1m0s", "2m0s", "4m0s", "8m0s", "16m0s", "30m0s", "30m0s"}},
	} {
		row := classify.Row{Class: classify.Permanent, Remedy: c.remedy, Scope: c.scope}
		for i, want := range c.want {
			s := retry.State{Attempt: 1, Tokens: 1, Now: now(), Expires: now().Add(24 * time.Hour)}
			if (retry.Result{Row: row}).CountsTries() {
				s.Tries = i + 1
			}
			if got := retry.Decide(policy(), retry.Result{Row: row}, s).At.Sub(s.Now).String(); got != want {
				t.Errorf("%s of scope %s, try %d: waits %s, want %s", c.remedy, c.scope, i+1, got, want)
			}
		}
	}
}

func TestARefusedGrantIsNeverTheMessagesFault(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		row := x.r.Row
		if x.r.Stage != retry.GrantRefused || row.Class == classify.Success || row.Remedy == classify.None || row.Class == "none" {
			return true
		}
		if !slices.Contains(remedies(), row.Remedy) || row.Class != classify.Permanent && row.Class != classify.TokenInvalid {
			return true
		}
		return sendsAgain(d) || d.Outcome == wire.Expired || d.Outcome == wire.Dead
	})
}

// The wait of a request that says nothing of its token still grows with the
// attempts, so the job may expire first.
func TestTheNumberOfAttemptsNeverEndsATokenWhoseAnswerDoesNotCount(t *testing.T) {
	own := []classify.Remedy{classify.SlowDown, classify.WaitQuota, classify.RefreshAuth, classify.Config, classify.Split}
	holds(t, func(x situation, d retry.Decision) bool {
		if d.Counted {
			return true
		}
		x.s.Attempt = 1 << 40
		late := x.decide()
		return late == d || !slices.Contains(own, d.Remedy) && !late.Counted && (sendsAgain(late) || late.Outcome == wire.Expired)
	})
}

func TestAgainIsNeverBeforeNowAndAlwaysBeforeTheJobExpires(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		return d.Verdict != retry.Again || d.At.After(x.s.Now) && d.At.Before(x.s.Expires)
	})
}

func TestTheVendorsRetryAfterIsTheLeastWait(t *testing.T) {
	// The waits for a quota's window and for a new access token ignore RetryAfter.
	own := []classify.Remedy{classify.WaitQuota, classify.RefreshAuth}
	holds(t, func(x situation, d retry.Decision) bool {
		return d.Verdict != retry.Again || slices.Contains(own, d.Remedy) || !d.At.Before(x.s.Now.Add(x.r.RetryAfter))
	})
}

func TestAnUnknownOutcomeIsNeverRepeatedAtMostOnce(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		return !x.s.AtMostOnce || !x.r.Uncertain || d.Verdict == retry.End
	})
}

func TestOnlyATokenOfAParkedJobWaitsAndNoLongerThanItsJobLives(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		if d.Verdict != retry.Wait {
			return d.Verdict != retry.Again || x.s.ParkedUntil.IsZero()
		}
		early := d.At.Before(x.s.ParkedUntil) && d.At.Before(x.s.Expires)
		return !x.s.ParkedUntil.IsZero() && d.At.After(x.s.Now) && !d.At.After(x.s.Expires) && !early
	})
}

func TestEveryDecisionIsWhole(t *testing.T) {
	holds(t, func(_ situation, d retry.Decision) bool {
		switch d.Verdict {
		case retry.End:
			dead := d.Outcome == wire.Dead
			return slices.Contains(wire.Outcomes(), d.Outcome) && d.At.IsZero() && dead == (d.Reason != "")
		case retry.Again, retry.Wait:
			return d.Outcome == "" && d.Reason == "" && !d.At.IsZero()
		case retry.Halve:
			return d.Outcome == "" && d.Reason == "" && d.At.IsZero() && !d.Counted
		}
		return false
	})
}

func TestARequestOfOneTokenIsNotHalved(t *testing.T) {
	holds(t, func(x situation, d retry.Decision) bool {
		return d.Verdict != retry.Halve || x.s.Tokens > 1 && d.Remedy == classify.Split
	})
}

func TestAJobWithoutEndIsStillGivenUpAfterItsAttempts(t *testing.T) {
	t.Parallel()
	r := retry.Result{Row: classify.Row{Class: classify.Retryable, Remedy: classify.Backoff}}
	for tries, want := range map[int]int{0: 8, 3: 3, 20: 8} {
		r.Row.Tries = tries
		n := 1
		for retry.Decide(policy(), r, retry.State{Attempt: n, Tries: n, Tokens: 1, Now: now(), Expires: now().AddDate(10, 0, 0)}).Verdict == retry.Again {
			n++
		}
		if n != want {
			t.Errorf("with tries %d: %d requests, want %d", tries, n, want)
		}
	}
}

func TestAWaitThatEndsWhenTheJobExpiresIsTooLong(t *testing.T) {
	t.Parallel()
	r := retry.Result{Row: classify.Row{Class: classify.Retryable, Remedy: classify.Backoff}, RetryAfter: time.Minute}
	s := retry.State{Attempt: 1, Tokens: 1, Now: now(), Expires: now().Add(time.Minute)}
	if d := retry.Decide(policy(), r, s); d.Verdict != retry.End || d.Outcome != wire.Expired {
		t.Errorf("got %+v, want expired", d)
	}
	s.Expires = s.Expires.Add(1)
	if d := retry.Decide(policy(), r, s); d.Verdict != retry.Again || !d.At.Equal(now().Add(time.Minute)) {
		t.Errorf("a nanosecond later: got %+v, want again in a minute", d)
	}
}
