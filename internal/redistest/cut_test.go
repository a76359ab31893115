package redistest_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

// A server on a cut file has every completely written command, and no command of an
// incomplete transaction.
func TestAServerOnACutFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.AppendOnly())
	rdb := s.Client(t)
	before := s.AppendedSize()
	for i := range 3 {
		if err := rdb.Set(t.Context(), fmt.Sprint("key-", i), "a value\r\n*1\r\n", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set := s.AppendedSize()
	_, err := rdb.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Set(t.Context(), "key-3", "", 0)
		p.Set(t.Context(), "key-4", "", 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	ends, err := redistest.Boundaries(s.Appended(t))
	if err != nil || ends[len(ends)-1] != s.AppendedSize() {
		t.Fatalf("boundaries %v, %v, want the last at %d", ends, err, s.AppendedSize())
	}
	for name, c := range map[string]struct {
		size int64
		keys int64
	}{
		"all":                                  {s.AppendedSize(), 5},
		"a byte less: not the transaction":     {s.AppendedSize() - 1, 3},
		"before the transaction":               {set, 3},
		"within the last of the three":         {set - 1, 2},
		"a byte into the transaction":          {set + 1, 3},
		"before everything but the connection": {before, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := s.StartCut(t, c.size)
			client := redis.NewClient(&redis.Options{Addr: cut.Addr()})
			defer client.Close()
			if got, err := client.DBSize(t.Context()).Result(); err != nil || got != c.keys {
				t.Errorf("got %d keys, %v, want %d", got, err, c.keys)
			}
		})
	}
}
