package redistest_test

import (
	"testing"

	"github.com/postrider/postrider/internal/redistest"
)

func TestAfterAFailoverTheReplicaHasTheMastersData(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	client := s.Client(t)
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Wait(t.Context(), 1, 0).Result(); err != nil || n != 1 {
		t.Fatalf("%d replicas have the key, %v; want 1", n, err)
	}
	old := s.Failover(t)
	if s.Master(t).Addr() == old.Addr() {
		t.Error("the master is the killed server")
	}
	if got := client.Get(t.Context(), "k").Val(); got != "v" {
		t.Errorf("the new master has %q, want v", got)
	}
	if err := client.Set(t.Context(), "k", "w", 0).Err(); err != nil {
		t.Errorf("the new master accepts no write: %v", err)
	}
}
