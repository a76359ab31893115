package receipt_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// The jobs of sent messages and their expiry are written in one step: a crash or a
// network fault between two commands leaves no key without expiry.
func TestNoKeyRemainsWithoutAnExpiry(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]redistest.Fault{"the command is lost": redistest.LoseCommand, "the answer is lost": redistest.LoseAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := redistest.Client(t)
			proxy := redistest.NewProxy(t, direct.Options().Addr)
			for n := 1; ; n++ {
				direct.FlushDB(t.Context())
				// A crashed process repeats no command.
				dying := redis.NewClient(&redis.Options{Addr: proxy.Addr(), DB: direct.Options().DB, MaxRetries: -1})
				proxy.Break(redistest.Nth(n, fault))
				var sent []dispatch.Sent
				for i := range 3 {
					sent = append(sent, dispatch.Sent{App: "shop", Vendor: "huawei", Tag: fmt.Sprint("tag-", i), For: time.Hour, Job: "large"})
				}
				_ = (&receipt.Store{Redis: dying}).Note(t.Context(), sent) // it may fail
				_ = dying.Close()
				for _, s := range sent {
					key := wire.SentKey(s.App, s.Vendor, s.Tag)
					if ttl := direct.TTL(t.Context(), key).Val(); ttl == -1 {
						t.Errorf("command %d: %s has no expiry", n, key)
					}
				}
				if proxy.Commands() < n || t.Failed() {
					return
				}
			}
		})
	}
}
