package receipt_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/pkg/push/wire"
)

// statuses is a call from Huawei; each item is "token status".
func statuses(tag string, items ...string) string {
	var s []string
	for _, it := range items {
		token, status, _ := strings.Cut(it, " ")
		s = append(s, `{"biTag":"`+tag+`","token":"`+token+`","status":`+status+`,"timestamp":1700000000000,"appid":"100000001"}`)
	}
	return `{"statuses":[` + strings.Join(s, ",") + `]}`
}

const at = "2023-11-14T22:13:20.000Z" // 1700000000000

func TestReceiptsAreCountedInTheLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"many": {"a", "b", "c", "d"}, "one": {"z"}})
	r.deliver("huawei", statuses(tag, "a 0", "b 15", "c 51", "z 0"))
	r.drain()
	r.want("many", 1, 0, 1)
	r.want("one", 1, 0, 0)
	r.wantFeed()
	r.meter.want(t, map[string]int{"shop huawei arrived": 2, "shop huawei failed": 1, "shop huawei pending": 1})
}

func TestARepeatedReceiptIsCountedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"many": {"a", "b"}, "one": {"z"}})
	for range 3 {
		r.deliver("huawei", statuses(tag, "a 0", "a 0", "b 2", "b 5", "z 0"))
	}
	r.drain()
	r.want("many", 1, 0, 1)
	r.want("one", 1, 0, 0)
	r.wantFeed(
		"shop huawei b huawei/receipt/2 delete - many "+at,
		"shop huawei b huawei/receipt/5 delete - many "+at,
	)
}

func TestSeveralReceiptsOfATokenAreAllCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("xiaomi", map[string][]string{"one": {"a"}, "two": {"b", "c"}})
	item := func(typ int, targets string) string {
		return fmt.Sprintf(`"m%d%s":{"param":"%s","type":%d,"targets":"%s"}`, typ, targets, tag, typ, targets)
	}
	r.deliver("xiaomi", "data="+url.QueryEscape("{"+item(1, "a,b")+","+item(2, "b,a")+","+item(64, "c")+"}"))
	r.drain()
	r.want("one", 1, 1, 0)
	r.want("two", 1, 1, 1)
}

func TestASingleLedgerKeepsItsOutcomeAndCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"one": {"z"}})
	text := wire.Single{Outcome: wire.Delivered, App: "shop", Ended: time.Unix(1700000000, 0), Codes: map[string]int{"huawei/response/80000000": 2}}.Encode()
	r.must(r.rdb.Set(t.Context(), wire.JobKey("one"), text, time.Hour).Err())
	r.deliver("huawei", statuses(tag, "z 0", "z 2"))
	r.drain()
	r.want("one", 1, 0, 1)
	st, err := r.book.Status(t.Context(), "one")
	r.must(err)
	if st.Delivered != 1 || st.Codes["huawei/response/80000000"] != 2 {
		t.Errorf("the ledger is now %+v", st)
	}
	if ttl := r.rdb.TTL(t.Context(), wire.JobKey("one")).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("the ledger expires in %v, want its expiry unchanged", ttl)
	}
}

func TestALargeJobNeedsNoFieldForEachToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"large": {"a", "b", "c"}})
	r.must(r.rdb.Del(t.Context(), wire.SentKey("shop", "huawei", tag)).Err())
	r.must(r.cfg.Store.Note(t.Context(), []dispatch.Sent{{App: "shop", Vendor: "huawei", Tag: tag, For: time.Hour, Job: "large"}}))
	r.deliver("huawei", statuses(tag, "a 0", "b 0", "c 0"))
	r.drain()
	r.want("large", 3, 0, 0)
	if n := r.rdb.HLen(t.Context(), wire.SentKey("shop", "huawei", tag)).Val(); n != 1 {
		t.Errorf("%d fields were stored, want 1", n)
	}
}

func TestManyTokensAreCountedExactly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tokens := make([]string, 1000)
	items := make([]string, 1000)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("token-%04d", i)
		items[i] = tokens[i] + " 0"
	}
	r.enqueue("huawei", map[string][]string{"campaign": tokens})
	r.deliver("huawei", statuses(tag, items...))
	r.deliver("huawei", statuses(tag, items[500:]...))
	r.drain()
	r.want("campaign", 1000, 0, 0)
	keys, err := r.rdb.Keys(t.Context(), "postrider:counted:*").Result()
	r.must(err)
	for _, k := range keys {
		if enc := r.rdb.ObjectEncoding(t.Context(), k).Val(); enc != "intset" {
			t.Errorf("%s is stored as a %s, want an intset", k, enc)
		}
		if ttl := r.rdb.TTL(t.Context(), k).Val(); ttl <= 0 {
			t.Errorf("%s has no expiry", k)
		}
	}
}

func TestInvalidTokensInReceiptsEnterTheFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"h": {"gone", "quiet", "fine"}})
	r.enqueue("xiaomi", map[string][]string{"x": {"moved", "dead", "off"}})
	r.deliver("huawei", statuses(tag, "gone 2", "quiet 6", "fine 256"))
	r.deliver("xiaomi", "data="+url.QueryEscape(`{"m1":{"param":"`+tag+`","type":16,"targets":"moved,dead","timestamp":1700000000000,"replaceTarget":{"moved":"new home"}},
		"m2":{"param":"`+tag+`","type":32,"targets":"off","timestamp":1700000000000}}`))
	r.drain()
	r.wantFeed(
		"shop huawei gone huawei/receipt/2 delete - h "+at,
		"shop huawei quiet huawei/receipt/6 suppress - h "+at,
		"shop xiaomi moved xiaomi/receipt/16/replace replace new home x "+at,
		"shop xiaomi dead xiaomi/receipt/16 delete - x "+at,
		"shop xiaomi off xiaomi/receipt/32 suppress - x "+at,
	)
	r.want("h", 0, 0, 3)
	r.want("x", 0, 0, 3)
}

func TestATokenEntersTheFeedOnceADay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"h": {"gone"}})
	for range 2 {
		r.deliver("huawei", statuses(tag, "gone 2"))
		r.drain()
	}
	if n := len(r.feed()); n != 1 {
		t.Errorf("the feed has %d entries, want 1", n)
	}
	marks := r.rdb.Keys(t.Context(), "postrider:fed:*").Val()
	if len(marks) != 1 || strings.Contains(marks[0], "gone") {
		t.Fatalf("the marks are %q, want one that does not contain the token", marks)
	}
	if ttl := r.rdb.TTL(t.Context(), marks[0]).Val(); ttl != 24*time.Hour && ttl.Round(time.Minute) != 24*time.Hour {
		t.Errorf("the mark expires in %v, want a day", ttl)
	}
	r.must(r.rdb.Del(t.Context(), marks[0]).Err()) // a day later
	r.deliver("huawei", statuses(tag, "gone 2"))
	r.drain()
	if n := len(r.feed()); n != 2 {
		t.Errorf("a day later the feed has %d entries, want 2", n)
	}
}

func TestATimeInTheFutureIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deliver("huawei", strings.Replace(statuses(tag, "gone 2"), "1700000000000", "1900000000000", 1))
	r.drain()
	r.wantFeed("shop huawei gone huawei/receipt/2 delete -  2026-11-21T09:00:00.000Z")
}

func TestUnknownTagsTokensAndCodesDoNoHarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		feed int
		sums map[string]int
	}{
		"an unknown tag":                  {statuses("no-such-tag", "a 0"), 0, map[string]int{"shop huawei unknown": 1}},
		"no tag":                          {statuses("", "a 0"), 0, map[string]int{"shop huawei unknown": 1}},
		"an invalid token, unknown tag":   {statuses("no-such-tag", "a 2"), 1, map[string]int{"shop huawei unknown": 1}},
		"an invalid token of another app": {strings.Replace(statuses("no-such-tag", "a 2"), "100000001", "9", 1), 0, map[string]int{"shop huawei unknown": 1}},
		"a token that was not sent":       {statuses(tag, "never 0"), 0, map[string]int{"shop huawei unknown": 1}},
		"an unknown code":                 {statuses(tag, "a 999999"), 0, map[string]int{"shop huawei failed": 1}},
		"malformed items":                 {`{"statuses":[{},7,null]}`, 0, map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue("huawei", map[string][]string{"job": {"a", "b"}})
			r.deliver("huawei", c.body)
			r.drain()
			if n := len(r.feed()); n != c.feed {
				t.Errorf("the feed has %d entries, want %d", n, c.feed)
			}
			r.meter.want(t, c.sums)
		})
	}
}

func TestAReceiptCreatesNoLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"h": {"a", "b"}})
	r.must(r.rdb.Del(t.Context(), wire.JobKey("h")).Err())
	r.deliver("huawei", statuses(tag, "a 0"))
	r.drain()
	if r.rdb.Exists(t.Context(), wire.JobKey("h")).Val() != 0 {
		t.Error("a receipt created a ledger")
	}
}

// A worker applied the entries and died before it acknowledged them.
func TestACrashBetweenApplyingAndAcknowledgingCountsNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"h": {"a", "b"}, "one": {"z"}})
	r.deliver("huawei", statuses(tag, "a 0", "b 2", "z 0"))
	raw := r.rdb.XRange(t.Context(), wire.ReceiptStream, "-", "+").Val()
	r.drain()
	// The same entry is in the stream again, pending for a dead worker.
	r.must(r.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.ReceiptStream, Values: raw[0].Values}).Err())
	r.must(r.rdb.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: "workers", Consumer: "gone", Streams: []string{wire.ReceiptStream, ">"},
	}).Err())
	id := r.rdb.XRange(t.Context(), wire.ReceiptStream, "-", "+").Val()[0].ID
	r.must(r.rdb.Do(t.Context(), "XCLAIM", wire.ReceiptStream, "workers", "gone", 0, id, "IDLE", 60_000).Err())
	r.drain()
	r.want("h", 1, 0, 1)
	r.want("one", 1, 0, 0)
	if n := len(r.feed()); n != 1 {
		t.Errorf("the feed has %d entries, want 1", n)
	}
}

func TestAStoppedWorkerRemovesItsConsumer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deliver("huawei", statuses(tag, "a 0"))
	r.drain()
	if left := r.rdb.XInfoConsumers(t.Context(), wire.ReceiptStream, "workers").Val(); len(left) != 0 {
		t.Errorf("consumers %v are left", left)
	}
}

func TestAnEntryOfANewerVersionWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.ReceiptStream, Values: []any{"v", "2", "new", "words"}}).Err())
	r.must(r.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.ReceiptStream, Values: []any{"v", "1", "at", "soon"}}).Err())
	r.deliver("huawei", statuses(tag, "a 0"))
	stop := r.start()
	r.await("only the newer one is left", func() bool { return r.rdb.XLen(t.Context(), wire.ReceiptStream).Val() == 1 })
	stop()
	if left := r.rdb.XRange(t.Context(), wire.ReceiptStream, "-", "+").Val(); left[0].Values["v"] != "2" {
		t.Errorf("%v is left, want the newer entry", left)
	}
}

func TestTheJobsOfSentMessagesExpire(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue("huawei", map[string][]string{"h": {"a"}})
	key := wire.SentKey("shop", "huawei", tag)
	if ttl := r.rdb.TTL(t.Context(), key).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("%s expires in %v, want an hour", key, ttl)
	}
}
