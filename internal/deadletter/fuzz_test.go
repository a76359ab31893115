package deadletter

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Whatever an entry holds, its replay is either refused or a chunk that a
// worker can read, with its tokens.
func FuzzReplay(f *testing.F) {
	f.Add("shop", "huawei", "a", "t1\nt2", `{"title":"x"}`, "normal", "at-least-once", "1763712000000", "1763715600000", "8", "2", "000102030405060708090a0b0c0d0e0f", "")
	f.Add("", "", "", "", "", "", "", "", "", "", "", "", "")
	f.Add("shop", "huawei", "a", "\n", "{}", "bulk", "at-most-once", "-1", "99999999999999999", "x", "1", "", "")
	f.Add("shop", "huawei", "{a}", "长\n\xff", "{}", "high", "", "9223372036854775807", "-9223372036854775808", "-8", "3", "0", "[{}]")
	f.Fuzz(func(t *testing.T, app, vendor, job, tokens, message, priority, delivery, start, expires, attempts, version, key, vars string) {
		e := decode("1763712000000-0", map[string]any{
			"app": app, "vendor": vendor, "job": job, "tokens": tokens, "message": message, "priority": priority,
			"delivery": delivery, "start": start, "expires": expires, "attempts": attempts, "v": version, "key": key, "vars": vars,
		})
		c, err := newCall("call", &e, time.Unix(1763712000, 0), time.Time{})
		if err != nil {
			return
		}
		for _, name := range []string{"bytes", "bytes_single"} {
			raw, _ := c.Value(name).([]byte)
			got, err := wire.DecodeChunk(string(raw))
			if err != nil {
				t.Fatalf("the chunk cannot be read: %v", err)
			}
			if entry := got.Entries[0]; entry.Job != job || !slices.Equal(entry.Tokens, strings.Split(tokens, "\n")) || got.Messages[0] != message {
				t.Fatalf("got %+v %q", entry, got.Messages)
			}
			if got.Gen == 0 || (key != "") != (got.Tail.Keys != nil) || key != "" && got.Tail.Keys[len(got.Tail.Keys)-1] != key {
				t.Fatalf("generation %d, keys %q, want %q", got.Gen, got.Tail.Keys, key)
			}
		}
		if ttl, _ := c.Value("ttl").(int64); ttl <= 0 {
			t.Fatalf("everything would be gone at once: ttl %d", ttl)
		}
	})
}

func FuzzCheckID(f *testing.F) {
	for _, id := range []string{"1763712000000-0", "1", "-", "+", "(1-0", "", "1-18446744073709551616"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if CheckID(id) == nil && strings.Trim(id, "0123456789-") != "" {
			t.Errorf("%q is taken for an id", id)
		}
	})
}
