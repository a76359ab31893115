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

// check checks a Redis and returns the findings by subject.
func check(t *testing.T, o *redis.UniversalOptions) map[string]string {
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
			all[f.What] = "ok"
		}
	}
	return all
}

func at(s *redistest.Server) *redis.UniversalOptions {
	return &redis.UniversalOptions{Addrs: []string{s.Addr()}}
}

func TestARedisIsChecked(t *testing.T) {
	t.Parallel()
	const file = ", and set it in Redis's configuration file"
	for _, c := range []struct {
		name string
		args []string
		want map[string]string
	}{
		{"usable", []string{"--appendonly", "yes"}, map[string]string{
			"redis.url": "ok", "redis version": "ok", "redis role": "ok", "redis memory": "ok", "redis persistence": "ok", "redis rights": "ok",
		}},
		{"evicting", []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy allkeys-lru: Redis deletes jobs when it is full: run CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"evicting keys with a time to live", []string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy volatile-ttl: Redis deletes jobs when it is full: run CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"evicting once there is a limit", []string{"--maxmemory-policy", "allkeys-lfu"}, map[string]string{
			"redis memory": "warning: has maxmemory-policy allkeys-lfu: once maxmemory is set, Redis deletes jobs when it is full: run CONFIG SET maxmemory-policy noeviction" + file,
		}},
		{"without persistence", nil, map[string]string{
			"redis persistence": "warning: is off: a restart of Redis loses every job: run CONFIG SET appendonly yes" + file,
		}},
		{"with snapshots", []string{"--save", "3600 1"}, map[string]string{
			"redis persistence": "warning: uses only snapshots (save 3600 1): a crash of Redis loses the jobs since the last one: run CONFIG SET appendonly yes" + file,
		}},
		{"without CONFIG", []string{"--rename-command", "CONFIG", ""}, map[string]string{
			"redis persistence": "note: has no append-only file, and whether snapshots are saved could not be checked: CONFIG: ERR unknown command…", "redis rights": "ok",
		}},
		{"with a command renamed", []string{"--rename-command", "XAUTOCLAIM", "OTHER"}, map[string]string{
			"redis rights": "fault: cannot be granted: the server does not know XAUTOCLAIM: use Redis 6.2 or later, or Valkey, with no command renamed",
		}},
		{"a cluster", []string{"--cluster-enabled", "yes", "--databases", "1"}, map[string]string{
			"redis role": "fault: is a Redis Cluster, which is not supported yet: use one Redis, or Sentinel",
		}},
		{"a replica", []string{"--replicaof", "127.0.0.1 1"}, map[string]string{
			"redis role": "fault: is replica (of 127.0.0.1:1): name the primary in redis.url",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := check(t, at(redistest.Start(t, redistest.Args(c.args...))))
			for what, want := range c.want {
				if head, open := strings.CutSuffix(want, "…"); got[what] != want && (!open || !strings.HasPrefix(got[what], head)) {
					t.Errorf("%s: got %q, want %q", what, got[what], want)
				}
			}
		})
	}
}

// limited creates a user with the given rights.
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

func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, c := range []struct {
		name  string
		rules []any
		want  string
	}{
		{"all", []any{"~postrider:*", "~asynq:*", "&*", "+@all"}, "ok"},
		{"all but the dangerous and the administrator's", []any{"~postrider:*", "~asynq:*", "&asynq:cancel", "+@all", "-@dangerous", "-@admin", "-acl"}, "ok"},
		{"no keys of asynq", []any{"~postrider:*", "&*", "+@all"}, "fault: are too few for user shop: run ACL SETUSER shop ~asynq:*"},
		{"no channel", []any{"~*", "+@all"}, "fault: are too few for user shop: run ACL SETUSER shop &asynq:cancel"},
		{"two commands missing", []any{"~*", "&*", "+@all", "-blmove", "-xautoclaim"}, "fault: are too few for user shop: run ACL SETUSER shop +blmove +xautoclaim"},
		{"a subcommand missing", []any{"~*", "&*", "+@all", "-script|load"}, "fault: are too few for user shop: run ACL SETUSER shop +script|load"},
		{"read only", []any{"~*", "&*", "+@all", "-@write"}, "fault: are too few for user shop: run ACL SETUSER shop +set +del +unlink…"},
		{"no scripts", []any{"~*", "&*", "+@all", "-@scripting"}, "fault: are too few for user shop: run ACL SETUSER shop +script|load +eval +evalsha"},
		{"no transactions", []any{"~*", "&*", "+@all", "-multi"}, "fault: are too few: user shop may not run MULTI: run ACL SETUSER shop +multi +exec +discard"},
		{"no ping", []any{"~*", "&*", "+@all", "-ping"}, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) { // not parallel: all cases change the same user
			o := limited(t, s, c.rules...)
			got := check(t, o)["redis rights"]
			if head, open := strings.CutSuffix(c.want, "…"); got != c.want && (!open || !strings.HasPrefix(got, head)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	admin := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer admin.Close()
	if keys := admin.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("the check left keys %q in Redis", keys)
	}
}

func TestForbiddenChecksBecomeNotes(t *testing.T) {
	t.Parallel()
	o := limited(t, redistest.Start(t), "~postrider:*", "~asynq:*", "&*", "+@all", "-info", "-config", "-acl")
	got := check(t, o)
	for what, want := range map[string]string{
		"redis.url": "ok", "redis rights": "ok",
		"redis version, memory, persistence, role": "note: could not be checked: INFO: NOPERM this user has no permissions to run the 'info' command",
	} {
		if got[what] != want {
			t.Errorf("%s: got %q, want %q", what, got[what], want)
		}
	}
}

func TestARedisThatIsUnreachableOrLoadingIsAnError(t *testing.T) {
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
		t.Errorf("got %v, want an error about a missing password", err)
	}
	if _, err := preflight.Check(t.Context(), stub(t, "", "-LOADING Redis is loading the dataset in memory")); err == nil || !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("got %v, want an error that it is loading", err)
	}
}

func TestAnOldVersionIsAFault(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"5.0.14": "fault: is 5.0.14, which has no BLMOVE and no XAUTOCLAIM: use Redis 6.2 or later, or Valkey",
		"6.0.16": "fault: is 6.0.16, which has no BLMOVE and no XAUTOCLAIM: use Redis 6.2 or later, or Valkey",
		"6.2.0":  "ok", "7.2.4": "ok", "10.0.0": "ok",
		"unknown": "note: could not be checked: INFO does not contain it: make sure that it is 6.2 or later",
	} {
		o := stub(t, "redis_version:"+version+"\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", "+OK")
		if got := check(t, o)["redis version"]; got != want {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

// A managed server may leave fields out of INFO.
func TestMissingFieldsOfInfoBecomeNotes(t *testing.T) {
	t.Parallel()
	got := check(t, stub(t, "redis_version:7.0.0\r\n", "+OK"))
	for _, what := range []string{"redis memory", "redis persistence"} {
		if !strings.HasPrefix(got[what], "note: could not be checked") {
			t.Errorf("%s: got %q, want a note that it could not be checked", what, got[what])
		}
	}
}

// stub is a server that replies to INFO with a text and to other commands with one line.
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

// serve reads commands as arrays of bulk strings until the client disconnects.
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
