package push_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A job of a thousand chunks waits; what another app adds goes ahead of it, but
// not all that it adds, or it would hold up the first.
func TestAFewTasksOfAnotherAppGoAheadOfALargeJob(t *testing.T) {
	t.Parallel()
	rdb, now := redistest.Client(t), time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	c, err := push.NewClient(rdb, push.Options{
		Vendors: []push.Vendor{{Name: "huawei", Batch: 10}}, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(app, id string, tokens int) {
		t.Helper()
		j := push.Job{ID: id, App: app, Message: push.Message{Title: "Hi", Body: "there"}, Targets: map[string][]string{}}
		for i := range tokens {
			j.Targets["huawei"] = append(j.Targets["huawei"], id+strconv.Itoa(i))
		}
		if _, err := c.Enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	// waits are the lane's tasks in the order in which workers take them.
	waits := func() []string {
		t.Helper()
		ids := rdb.LRange(t.Context(), wire.PendingKey("huawei:normal"), 0, -1).Val()
		slices.Reverse(ids)
		for i, id := range ids {
			ids[i], _, _ = strings.Cut(id, ".")
		}
		return ids
	}
	count := func(ids []string, prefix string) (n int) {
		for _, id := range ids {
			if strings.HasPrefix(id, prefix) {
				n++
			}
		}
		return n
	}

	send("small", "first", 1)
	send("large", "campaign", 10_000)
	if got := waits(); len(got) != 1001 || !strings.HasPrefix(got[0], "first") {
		t.Fatalf("%d tasks wait, the first is %s; want 1001, and the one that came first", len(got), got[0])
	}
	send("small", "other", 1)
	if got := waits()[0]; !strings.HasPrefix(got, "other") {
		t.Errorf("the first to be taken is %s, want the other app's", got)
	}
	for i := range 100 {
		send("small", fmt.Sprint("many_", i), 1)
	}
	if got := waits(); count(got[:21], "many_") != 19 || count(got[len(got)-81:], "many_") != 81 {
		t.Errorf("of 100 tasks more %d are ahead and %d at the end, want 19 and 81", count(got[:21], "many_"), count(got[len(got)-81:], "many_"))
	}
	send("third", "newcomer", 1)
	if got := waits()[0]; !strings.HasPrefix(got, "newcomer") {
		t.Errorf("the first to be taken is %s, want the third app's", got)
	}
	now = now.Add(time.Second)
	for i := range 100 {
		send("small", fmt.Sprint("later_", i), 1)
	}
	if got := count(waits()[:22], "later_"); got != 10 {
		t.Errorf("a second later %d tasks went ahead, want 10", got)
	}
	if ttl := rdb.TTL(t.Context(), wire.TurnKey("huawei:normal")).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("what was counted is kept for %v", ttl)
	}
}
