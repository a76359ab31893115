package preflight_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/preflight"
	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// look checks a Redis and returns what was found, by subject.
func look(t *testing.T, o *redis.UniversalOptions) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	found, err := preflight.Check(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range found {
		switch {
		case f.Fault != "":
			all[f.What] = "fault: " + f.Fault
		case f.Warning != "":
			all[f.What] = "warning: " + f.Warning
		case f.Note != "":
			all[f.What] = "note: " + f.Note
		default:
			all[f.What] = "right"
		}
	}
	return all
}

func at(s *redistest.Server) *redis.UniversalOptions {
	return &redis.UniversalOptions{Addrs: []string{s.Addr()}}
}

func TestARedisIsLookedAt(t *testing.T) {
	t.Parallel()
	const file = ", and the same in its configuration file"
	for _, c := range []struct {
		name string
		args []string
		want map[string]string
	}{
		{"fit", []string{"--appendonly", "yes"}, map[string]string{
			"redis.url": "right", "redis version": "right", "redis role": "right", "redis memory": "right", "redis persistence": "right", "redis rights": "right",
		}},
		{"evicting", []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy allkeys-lru: Redis deletes jobs when it is full: CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"evicting what has a time to live", []string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy volatile-ttl: Redis deletes jobs when it is full: CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"evicting once there is a limit", []string{"--maxmemory-policy", "allkeys-lfu"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy allkeys-lfu: once maxmemory is set, Redis deletes jobs when it is full: CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"without persistence", nil, map[string]string{
			"redis persistence": "warning: is off: a restart of Redis loses every job: CONFIG SET appendonly yes" + file,
		}},
		{"with snapshots", []string{"--save", "3600 1"}, map[string]string{
			"redis persistence": "warning: is by snapshots only (save 3600 1): a crash of Redis loses the jobs since the last one: CONFIG SET appendonly yes" + file,
		}},
		{"without CONFIG", []string{"--rename-command", "CONFIG", ""}, map[string]string{
			"redis persistence": "note: has no append-only file, and whether snapshots are saved could not be looked at: CONFIG: ERR unknown command…", "redis rights": "right",
		}},
		{"with a command renamed", []string{"--rename-command", "XAUTOCLAIM", "OTHER"}, map[string]string{
			"redis rights": "fault: do not help: the server does not know XAUTOCLAIM: use Redis 6.2 or later, or Valkey, with no command renamed",
		}},
		{"a cluster", []string{"--cluster-enabled", "yes", "--databases", "1"}, map[string]string{
			"redis role": "fault: is a Redis Cluster, which is not supported yet: use one Redis, or Sentinel",
		}},
		{"a replica", []string{"--replicaof", "127.0.0.1 1"}, map[string]string{
			"redis role": "fault: is that of a replica of 127.0.0.1:1: name the primary in redis.url",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := look(t, at(redistest.Start(t, redistest.Args(c.args...))))
			for what, want := range c.want {
				if head, open := strings.CutSuffix(want, "…"); got[what] != want && (!open || !strings.HasPrefix(got[what], head)) {
					t.Errorf("%s: got %q, want %q", what, got[what], want)
				}
			}
		})
	}
}

// limited is a user with rights of its own.
func limited(t *testing.T, s *redistest.Server, rules ...any) *redis.UniversalOptions {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer admin.Close()
	if err := admin.Do(t.Context(), append([]any{"ACL", "SETUSER", "shop", "reset", "on", ">pass"}, rules...)...).Err(); err != nil {
		t.Fatal(err)
	}
	o := at(s)
	o.Username, o.Password = "shop", "pass"
	return o
}

func TestRightsAreLookedAt(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, c := range []struct {
		name  string
		rules []any
		want  string
	}{
		{"all", []any{"~postrider:*", "~asynq:*", "&*", "+@all"}, "right"},
		{"all but the dangerous and the administrator's", []any{"~postrider:*", "~asynq:*", "&asynq:cancel", "+@all", "-@dangerous", "-@admin", "-acl"}, "right"},
		{"no keys of asynq", []any{"~postrider:*", "&*", "+@all"}, "fault: are too few for user shop: ACL SETUSER shop ~asynq:*"},
		{"no channel", []any{"~*", "+@all"}, "fault: are too few for user shop: ACL SETUSER shop &asynq:cancel"},
		{"two commands missing", []any{"~*", "&*", "+@all", "-blmove", "-xautoclaim"}, "fault: are too few for user shop: ACL SETUSER shop +blmove +xautoclaim"},
		{"a subcommand missing", []any{"~*", "&*", "+@all", "-script|load"}, "fault: are too few for user shop: ACL SETUSER shop +script|load"},
		{"reading only", []any{"~*", "&*", "+@all", "-@write"}, "fault: are too few for user shop: ACL SETUSER shop +set +del +unlink…"},
		{"no scripts", []any{"~*", "&*", "+@all", "-@scripting"}, "fault: are too few for user shop: ACL SETUSER shop +script|load +eval +evalsha"},
		{"no transactions", []any{"~*", "&*", "+@all", "-multi"}, "fault: are too few: user shop may not run MULTI: ACL SETUSER shop +multi +exec +discard"},
		{"no ping", []any{"~*", "&*", "+@all", "-ping"}, "right"},
	} {
		t.Run(c.name, func(t *testing.T) { // one after another: it is one user
			o := limited(t, s, c.rules...)
			got := look(t, o)["redis rights"]
			if head, open := strings.CutSuffix(c.want, "…"); got != c.want && (!open || !strings.HasPrefix(got, head)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	admin := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer admin.Close()
	if keys := admin.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("looking left %q in Redis", keys)
	}
}

func TestARedisThatForbidsMuchIsLookedAtLess(t *testing.T) {
	t.Parallel()
	o := limited(t, redistest.Start(t), "~postrider:*", "~asynq:*", "&*", "+@all", "-info", "-config", "-acl")
	got := look(t, o)
	for what, want := range map[string]string{
		"redis.url": "right", "redis rights": "right",
		"redis version, memory, persistence, role": "note: could not be looked at: INFO: NOPERM this user has no permissions to run the 'info' command",
	} {
		if got[what] != want {
			t.Errorf("%s: got %q, want %q", what, got[what], want)
		}
	}
}

func TestARedisThatIsAwayOrLoadingIsAnError(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := at(s)
	s.Kill()
	if _, err := preflight.Check(t.Context(), o); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v, want a refused connection", err)
	}
	guarded := redistest.Start(t)
	o = at(guarded)
	admin := redis.NewClient(&redis.Options{Addr: guarded.Addr()})
	defer admin.Close()
	if err := admin.ConfigSet(t.Context(), "requirepass", "secret").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := preflight.Check(t.Context(), o); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("got %v, want that a password is missing", err)
	}
	if _, err := preflight.Check(t.Context(), stub(t, "", "-LOADING Redis is loading the dataset in memory")); err == nil || !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("got %v, want that it is loading", err)
	}
}

func TestAnOldVersionIsAFault(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"5.0.14": "fault: is 5.0.14, which has no BLMOVE and no XAUTOCLAIM: use Redis 6.2 or later, or Valkey",
		"6.0.16": "fault: is 6.0.16, which has no BLMOVE and no XAUTOCLAIM: use Redis 6.2 or later, or Valkey",
		"6.2.0":  "right", "7.2.4": "right", "10.0.0": "right",
		"unknown": "note: could not be looked at: INFO does not name it",
	} {
		o := stub(t, "redis_version:"+version+"\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", "+OK")
		if got := look(t, o)["redis version"]; got != want {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

// A managed server may name little.
func TestWhatInfoDoesNotNameIsNoted(t *testing.T) {
	t.Parallel()
	got := look(t, stub(t, "redis_version:7.0.0\r\n", "+OK"))
	for _, what := range []string{"redis memory", "redis persistence"} {
		if !strings.HasPrefix(got[what], "note: could not be looked at") {
			t.Errorf("%s: got %q, want that it could not be looked at", what, got[what])
		}
	}
}

// stub is a server that answers INFO with a text and all else with one line.
func stub(t *testing.T, info, answer string) *redis.UniversalOptions {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, info, answer)
		}
	}()
	return &redis.UniversalOptions{Addrs: []string{l.Addr().String()}, Protocol: 2, DisableIdentity: true, MaxRetries: -1}
}

// serve reads commands as arrays of bulk strings until the client leaves.
func serve(conn net.Conn, info, answer string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		var words, length int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &words); err != nil {
			return
		}
		first := ""
		for i := range words {
			if _, err := fmt.Fscanf(r, "$%d\r\n", &length); err != nil {
				return
			}
			word := make([]byte, length+2)
			for n := range word {
				b, err := r.ReadByte()
				if err != nil {
					return
				}
				word[n] = b
			}
			if i == 0 {
				first = strings.ToUpper(string(word[:length]))
			}
		}
		switch {
		case first == "HELLO":
			fmt.Fprint(conn, "-ERR unknown command\r\n")
		case first == "INFO" && info != "":
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(info), info)
		default:
			fmt.Fprint(conn, answer+"\r\n")
		}
	}
}
