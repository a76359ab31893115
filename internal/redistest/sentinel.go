package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	masterName = "postrider"
	sentinels  = 3
)

// Sentinel is a server with a replica, and three sentinels that promote the replica
// when the server does not answer for a second.
type Sentinel struct {
	nodes [2]*Server
	addrs []string // of the sentinels
}

// StartSentinel starts the servers and sentinels, which run until the test ends, and
// waits until a failover would succeed.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s := &Sentinel{}
	s.nodes[0] = Start(tb, AppendOnly())
	host, port, _ := net.SplitHostPort(s.nodes[0].addr)
	s.nodes[1] = Start(tb, AppendOnly(), func(s *Server) { s.args = append(s.args, "--replicaof", host+" "+port) })
	for i := range sentinels {
		s.addrs = append(s.addrs, watch(tb, i, host, port))
	}
	await(tb, func() bool { return s.ready(tb.Context()) })
	return s
}

// watch starts one sentinel and returns its address.
func watch(tb testing.TB, n int, host, port string) string {
	tb.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		tb.Fatal(err)
	}
	addr, err := freeAddr()
	if err != nil {
		tb.Fatal(err)
	}
	_, own, _ := net.SplitHostPort(addr)
	dir := tb.TempDir()
	file := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", n)) // sentinel rewrites this file
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nlogfile sentinel.log\nsentinel monitor %s %s %s 2\n"+
		"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n", own, dir, masterName, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	p, err := start(binary, file, "--sentinel")
	if err != nil {
		tb.Fatalf("start sentinel: %v", err)
	}
	tb.Cleanup(p.kill)
	return addr
}

// ready reports whether every sentinel answers and knows the others, and whether the
// replica is up to date.
func (s *Sentinel) ready(ctx context.Context) bool {
	replica := redis.NewClient(&redis.Options{Addr: s.nodes[1].addr})
	defer replica.Close() //nolint:errcheck // it was only read
	if !strings.Contains(replica.Info(ctx, "replication").Val(), "master_link_status:up") {
		return false
	}
	for _, addr := range s.addrs {
		c := redis.NewSentinelClient(&redis.Options{Addr: addr})
		master := c.Master(ctx, masterName).Val()
		_ = c.Close() // it was only read
		if master["num-slaves"] != "1" || master["num-other-sentinels"] != fmt.Sprint(sentinels-1) {
			return false
		}
	}
	return true
}

// URL is its redis.url of the configuration: "redis+sentinel://a,b,c/postrider/0".
func (s *Sentinel) URL() string {
	return fmt.Sprintf("redis+sentinel://%s/%s/0", strings.Join(s.addrs, ","), masterName)
}

// Client returns a client that follows the master. It is closed when the test ends.
func (s *Sentinel) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: s.addrs})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Master returns the server that the sentinels call the master.
func (s *Sentinel) Master(tb testing.TB) *Server {
	tb.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: s.addrs[0]})
	defer c.Close() //nolint:errcheck // it was only read
	at, err := c.GetMasterAddrByName(tb.Context(), masterName).Result()
	if err != nil {
		tb.Fatalf("get the master: %v", err)
	}
	for _, n := range s.nodes {
		if n.addr == net.JoinHostPort(at[0], at[1]) {
			return n
		}
	}
	tb.Fatalf("the master is %v, which is not one of the servers", at)
	return nil
}

// Failover kills the master and waits until the replica was promoted. It returns the
// killed server, which becomes a replica after Restart.
func (s *Sentinel) Failover(tb testing.TB) *Server {
	tb.Helper()
	old := s.Master(tb)
	old.Kill()
	await(tb, func() bool { return s.Master(tb) != old })
	return old
}
