package intake_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// go-redis sends a command again whose answer was lost: an entry is enqueued or
// refused, not both, and what is refused of it is told once.
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
			part := in.add("job", jobText("good", "t1", "of two", "t2", "a;b"))
			bad := in.add("job", jobText("bad"))
			proxy.Break(redistest.Named(command, redistest.LoseAnswer))
			in.rdb = flaky
			in.run()
			in.rdb = direct
			in.counted(1, 1) // after the step that was sent again
			var refused []string
			for _, m := range direct.XRange(t.Context(), wire.RefusedStream, "-", "+").Val() {
				refused = append(refused, fmt.Sprintf("%s %s at %v of %v", m.Values["id"], m.Values["job"], m.Values["position"], m.Values["vendor"]))
			}
			want := []string{part + " good at 2 of huawei", part + " good at 4 of huawei", bad + " bad at <nil> of <nil>"}
			if !slices.Equal(refused, want) {
				t.Errorf("refused are %q, want %q", refused, want)
			}
			if n := direct.Exists(t.Context(), wire.JobKey("good")).Val(); n != 1 {
				t.Error("the good job was not enqueued")
			}
		})
	}
}
