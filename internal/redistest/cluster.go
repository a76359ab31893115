package redistest

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Cluster starts a Redis Cluster of one node that has all slots, and returns a
// client of it. It refuses scripts and commands whose keys are in different slots.
// Both end with the test.
func Cluster(tb testing.TB) *redis.ClusterClient {
	tb.Helper()
	s := Start(tb, func(s *Server) { s.args = []string{"--cluster-enabled", "yes"} })
	node := redis.NewClient(&redis.Options{Addr: s.addr})
	defer node.Close() //nolint:errcheck // used only to set the cluster up
	if err := node.ClusterAddSlotsRange(tb.Context(), 0, 16383).Err(); err != nil {
		tb.Fatalf("assign all slots to the node: %v", err)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr}})
	tb.Cleanup(func() { _ = client.Close() })
	await(tb, func() bool { return client.Set(tb.Context(), "ready", 1, 0).Err() == nil })
	return client
}

// await polls until done returns true, and fails the test after startTimeout.
func await(tb testing.TB, done func() bool) {
	tb.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(startTimeout)
	for !done() {
		select {
		case <-again.C:
		case <-deadline:
			tb.Fatal("redis-server is not ready")
		}
	}
}
