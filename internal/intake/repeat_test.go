package intake_test

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// go-redis sends a command again whose answer was lost: an entry is enqueued or
// refused, not both, and its refusal is told once.
func TestAnEntryHasOneAnswerWhenRedisLosesSome(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"evalsha", "exec", "xadd", "xdel"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			in := newInbox(t)
			proxy, flaky := redistest.Flaky(t, in.rdb)
			direct := in.rdb
			c, err := push.NewClient(flaky, push.Options{
				Vendors: []push.Vendor{{Name: "huawei", Batch: 1000}}, Apps: map[string]push.App{"shop": {"huawei": {}}},
			})
			in.must(err)
			in.client = c
			_, err = c.Enqueue(t.Context(), push.Job{App: "shop", Message: push.Message{Title: "a", Body: "b"}, Targets: map[string][]string{"huawei": {"t"}}})
			in.must(err) // Redis has the script by now
			in.add("job", jobText("good", "t1"))
			in.add("job", jobText("bad"))
			proxy.Break(redistest.Named(command, redistest.LoseAnswer))
			in.rdb = flaky
			in.run()
			in.rdb = direct
			until := time.Now().Add(20 * time.Second)
			for direct.XLen(t.Context(), wire.IntakeStream).Val() > 0 && time.Now().Before(until) {
				<-time.After(10 * time.Millisecond)
			}
			refused := direct.XRange(t.Context(), wire.RefusedStream, "-", "+").Val()
			if len(refused) != 1 || refused[0].Values["job"] != "bad" {
				t.Errorf("refused are %v, want the bad one once", refused)
			}
			if n := direct.Exists(t.Context(), wire.JobKey("good")).Val(); n != 1 {
				t.Error("the good job was not enqueued")
			}
		})
	}
}
