package limit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

// lot are two workers of one Redis and one clock.
type lot struct {
	*testing.T
	clock *clock
	all   []*Limiter
	rdb   *redis.Client
}

func newLot(t *testing.T) *lot {
	t.Helper()
	c, rdb := newClock(), redistest.Client(t)
	return &lot{t, c, timed(rdb, c, 2), rdb}
}

func (l *lot) jobs(ids ...string) []Job {
	all := make([]Job, len(ids))
	for i, id := range ids {
		all[i] = Job{ID: id, Expires: l.clock.now().Add(24 * time.Hour)}
	}
	return all
}

// park parks jobs by the first worker, for want.
func (l *lot) park(want time.Duration, p Parking) (news, second bool) {
	l.Helper()
	if p.Code == "" {
		p.Code = "huawei/response/80300011"
	}
	until, news, second, err := l.all[0].Park(l.Context(), shop(), p)
	if left := until.Sub(l.clock.now()); err != nil || left != want {
		l.Errorf("parked for %v (%v), want %v", left, err, want)
	}
	return news, second
}

// try asks for a request of the second worker, and answers the jobs that wait.
func (l *lot) try(jobs ...string) (wait []string, probe string) {
	l.Helper()
	l.clock.forward(100 * time.Millisecond) // its copy is old
	w, probe, err := l.all[1].Try(l.Context(), shop(), jobs, 10*time.Second)
	if err != nil {
		l.Fatal(err)
	}
	return slices.Sorted(maps.Keys(w)), probe
}

func TestAParkedJobWaitsByItselfAndTwiceAsLongAfterEachFailedProbe(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	probe := ""
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if news, _ := l.park(want*time.Minute, Parking{Jobs: l.jobs("bad"), Probe: probe}); news != (i == 0) {
			t.Errorf("round %d: news %v", i, news)
		}
		l.clock.forward(want*time.Minute - time.Second)
		if wait, p := l.try("bad", "good"); len(wait) != 1 || wait[0] != "bad" || p != "" {
			t.Errorf("round %d: %v wait, probe %q, want bad to wait and good to go", i, wait, p)
		}
		l.clock.forward(time.Second)
		var wait []string
		if wait, probe = l.try("bad"); len(wait) != 0 || probe == "" {
			t.Fatalf("round %d: %v wait, probe %q, want the probe", i, wait, probe)
		}
		if wait, p := l.try("bad"); len(wait) != 1 || p != "" {
			t.Errorf("round %d: two requests are the job's probe", i)
		}
	}
	if ended, err := l.all[1].Unpark(t.Context(), shop(), []string{"bad"}, probe, true); err != nil || !ended {
		t.Errorf("Unpark = %v, %v", ended, err)
	}
	if wait, p := l.try("bad"); len(wait) != 0 || p != "" {
		t.Errorf("after a success %v wait, probe %q", wait, p)
	}
	l.park(time.Minute, Parking{Jobs: l.jobs("bad")}) // from the beginning
}

func TestAnswersToRequestsSentBeforeChangeNoParkedJob(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Minute, Parking{Jobs: l.jobs("bad")})
	l.clock.forward(10 * time.Second)
	for range 60 {
		l.park(50*time.Second, Parking{Jobs: l.jobs("bad")})
	}
	if ended, err := l.all[0].Unpark(t.Context(), shop(), []string{"bad"}, "", true); err != nil || ended {
		t.Errorf("a success of a request sent before ended the parking: %v, %v", ended, err)
	}
}

func TestAProbeThatIsGivenBackIsAnothers(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Minute, Parking{Jobs: l.jobs("bad")})
	l.clock.forward(time.Minute)
	_, first := l.try("bad")
	if _, err := l.all[1].Unpark(t.Context(), shop(), []string{"bad"}, first, false); err != nil {
		t.Fatal(err)
	}
	if wait, second := l.try("bad"); len(wait) != 0 || second == "" || second == first {
		t.Errorf("%v wait, probe %q, want another probe than %q", wait, second, first)
	}
	l.clock.forward(time.Minute) // nobody answers for it
	if wait, third := l.try("bad"); len(wait) != 0 || third == "" {
		t.Errorf("%v wait, probe %q, want it after the time of one without an answer", wait, third)
	}
}

func TestARetryAfterIsTheLeastWaitOfAJob(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Hour, Parking{Jobs: l.jobs("bad"), RetryAfter: time.Hour})
}

func TestASecondJobWithACodeOfTheAppIsReported(t *testing.T) {
	t.Parallel()
	const c, d = "huawei/response/1", "huawei/response/2"
	for name, steps := range map[string][]struct {
		jobs   string
		code   string
		app    bool
		after  time.Duration
		second bool
	}{
		"one job, often":                      {{"a", c, true, 0, false}, {"a", c, true, time.Second, false}, {"a", c, true, 50 * time.Minute, false}},
		"two jobs":                            {{"a", c, true, 0, false}, {"b", c, true, time.Second, true}, {"a", c, true, time.Second, false}},
		"two jobs in one request":             {{"a b", c, true, 0, true}},
		"two jobs with different codes":       {{"a", c, true, 0, false}, {"b", d, true, time.Second, false}},
		"two jobs with a code of the message": {{"a", c, false, 0, false}, {"b", c, false, time.Second, false}},
		"two jobs, long apart":                {{"a", c, true, 0, false}, {"b", c, true, time.Hour, false}, {"a", c, true, time.Second, true}},
		"the first one's probes keep it in mind": {
			{"a", c, true, 0, false}, {"a", c, true, 40 * time.Minute, false}, {"b", c, true, 40 * time.Minute, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLot(t)
			for i, s := range steps {
				l.clock.forward(s.after)
				_, _, second, err := l.all[i%2].Park(t.Context(), shop(), Parking{Jobs: l.jobs(strings.Fields(s.jobs)...), Code: s.code, AboutApp: s.app})
				if err != nil || second != s.second {
					t.Errorf("step %d: a second job: %v, %v, want %v", i, second, err, s.second)
				}
			}
		})
	}
}

// An app that turned out to be well forgets which jobs got its codes.
func TestTheEndOfAStopForgetsWhichJobWasFirst(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Minute, Parking{Jobs: l.jobs("a"), AboutApp: true})
	stop(t, l.all[0], Halt{Kind: Misconfigured}, time.Minute)
	l.clock.forward(time.Minute)
	wellAgain(t, l.all[0])
	if _, second := l.park(time.Minute, Parking{Jobs: l.jobs("b"), AboutApp: true}); second {
		t.Error("b is a second job after the app was well")
	}
}

func TestAJobThatExpiredIsForgotten(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Minute, Parking{Jobs: []Job{{"short", l.clock.now().Add(30 * time.Second)}, {"long", l.clock.now().Add(time.Hour)}}})
	if st, err := l.all[1].State(t.Context(), shop()); err != nil || st.AllParked != 2 || len(st.Parked) != 2 || st.Parked[0].Job != "long" {
		t.Errorf("got %+v, %v", st, err)
	}
	l.clock.forward(31 * time.Second)
	if st, err := l.all[1].State(t.Context(), shop()); err != nil || st.AllParked != 1 || st.Parked[0].Code != "huawei/response/80300011" {
		t.Errorf("got %+v, %v", st, err)
	}
	l.park(time.Minute, Parking{Jobs: l.jobs("other")})
	if n := l.rdb.HLen(t.Context(), shop().jobs()).Val(); n != 2 {
		t.Errorf("%d jobs are kept, want the expired one gone", n)
	}
	for _, k := range []string{shop().jobs(), shop().forget()} {
		if ttl := l.rdb.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > keepPark+time.Minute {
			t.Errorf("%s lives for %v", k, ttl)
		}
	}
}

func TestResumeEndsParkedJobs(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	l.park(time.Minute, Parking{Jobs: l.jobs("bad")})
	if was, err := l.all[0].Resume(t.Context(), shop(), ""); err != nil || !was {
		t.Errorf("Resume = %v, %v", was, err)
	}
	if wait, probe := l.try("bad"); len(wait) != 0 || probe != "" {
		t.Errorf("%v wait, probe %q", wait, probe)
	}
}

// What a request pays for parked jobs: nothing while there is none, nothing for
// jobs that are not parked while a few are.
func TestJobsThatAreNotParkedCostNoCall(t *testing.T) {
	t.Parallel()
	l := newLot(t)
	if _, err := l.all[0].State(t.Context(), shop()); err != nil { // Redis has the script from here on
		t.Fatal(err)
	}
	calls := func(jobs ...string) int {
		n := 0
		l.rdb.AddHook(counter{&n})
		for range 50 {
			if _, err := l.all[1].Parked(t.Context(), shop(), jobs); err != nil {
				t.Fatal(err)
			}
			if wait, _, err := l.all[1].Try(t.Context(), shop(), jobs, time.Second); err != nil || len(wait) > 0 {
				t.Fatalf("%v wait, %v", wait, err)
			}
		}
		return n
	}
	if n := calls("good"); n != 1 {
		t.Errorf("with no parked job: %d calls for 100 questions, want the one that reads pauses", n)
	}
	l.park(time.Minute, Parking{Jobs: l.jobs("bad")})
	l.clock.forward(freshTime)
	if n := calls("good"); n != 1 {
		t.Errorf("with a parked job: %d calls, want one", n)
	}
	var many []string
	for i := range localParked + 10 {
		many = append(many, fmt.Sprint("bad-", i))
	}
	l.park(time.Minute, Parking{Jobs: l.jobs(many...)})
	if wait, _ := l.try(append([]string{"good"}, many...)...); len(wait) != len(many) {
		t.Errorf("%d of %d parked jobs wait", len(wait), len(many))
	}
}
