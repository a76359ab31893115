package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		tls       bool
		want      redis.UniversalOptions
	}{
		{"one server with the usual port", "redis://cache.example", false, redis.UniversalOptions{Addrs: []string{"cache.example:6379"}}},
		{"a database", "redis://127.0.0.1:6380/3", false, redis.UniversalOptions{Addrs: []string{"127.0.0.1:6380"}, DB: 3}},
		{"a closing slash", "redis://127.0.0.1:6380/", false, redis.UniversalOptions{Addrs: []string{"127.0.0.1:6380"}}},
		{"an IPv6 address", "redis://[::1]:6380", false, redis.UniversalOptions{Addrs: []string{"[::1]:6380"}}},
		{"an IPv6 address with the usual port", "redis://[::1]", false, redis.UniversalOptions{Addrs: []string{"[::1]:6379"}}},
		{
			"a password with an encoded slash and a plain @ and colon", "redis://:p%2Fw@r:d@h", false,
			redis.UniversalOptions{Addrs: []string{"h:6379"}, Password: "p/w@r:d"},
		},
		{"a user", "rediss://me:pw@h:1/1", true, redis.UniversalOptions{Addrs: []string{"h:1"}, Username: "me", Password: "pw", DB: 1}},
		{"a socket", "unix:///run/redis.sock?db=2", false, redis.UniversalOptions{Addrs: []string{"/run/redis.sock"}, DB: 2}},
		{"a socket with a password", "unix://:pw@/run/redis.sock", false, redis.UniversalOptions{Addrs: []string{"/run/redis.sock"}, Password: "pw"}},
		{
			"sentinels", "redis+sentinel://u:p@h1:5000,h2/master/4", false,
			redis.UniversalOptions{Addrs: []string{"h1:5000", "h2:26379"}, MasterName: "master", DB: 4, Username: "u", Password: "p"},
		},
		{
			"sentinels with a login of their own and TLS", "rediss+sentinel://h1/m?sentinel_username=su&sentinel_password=s%26p", true,
			redis.UniversalOptions{Addrs: []string{"h1:26379"}, MasterName: "m", SentinelUsername: "su", SentinelPassword: "s&p"},
		},
		{"a cluster", "redis+cluster://h1,h2:7000,[::1]", false, redis.UniversalOptions{Addrs: []string{"h1:6379", "h2:7000", "[::1]:6379"}, IsClusterMode: true}},
		{"a cluster of one known node", "rediss+cluster://:p@h1/", true, redis.UniversalOptions{Addrs: []string{"h1:6379"}, IsClusterMode: true, Password: "p"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Config{Redis: config.Redis{URL: vendors.NewSecret(c.url)}}
			got, err := cfg.RedisOptions()
			if err != nil {
				t.Fatal(err)
			}
			if (got.TLSConfig != nil) != c.tls || c.tls && got.TLSConfig.InsecureSkipVerify { //nolint:forbidigo // proves that it is off
				t.Errorf("got TLS %v, want %v and verified", got.TLSConfig != nil, c.tls)
			}
			got.TLSConfig = nil
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestRedisOptionsRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, want string }{
		{"an empty address", "", "wants redis://"},
		{"a bare host", "hunter2.example:6379", "wants redis://"},
		{"another scheme", "http://:hunter2@h", "wants redis://"},
		{"another mode", "redis+proxy://:hunter2@h", "wants redis://"},
		{"a scheme in capitals", "REDIS://:hunter2@h", "wants redis://"},
		{"a socket of sentinels", "unix+sentinel:///hunter2", "wants redis://"},
		{"no host", "redis://:hunter2@/0", "wants hosts"},
		{"an empty host in a list", "redis+cluster://:hunter2@h1,,h2", "wants hosts"},
		{"no port after the colon", "redis://:hunter2@h:", "wants hosts"},
		{"a port over 65535", "redis://:hunter2@h:65536", "wants hosts"},
		{"a port of zero", "redis://:hunter2@h:0", "wants hosts"},
		{"a bare IPv6 address with a wrong group", "redis://:hunter2@[::zz]", "wants hosts"},
		{"a password with a plain slash", "redis://:hunter2/x@h:6379", "wants hosts"},
		{"a fragment", "redis://:hunter2@h#x", "wants hosts"},
		{"a broken encoding", "redis://:hunter2%zz@h", "percent-encoded"},
		{"a database that is no number", "redis://:hunter2@h/zero", "database's number"},
		{"a negative database", "redis://:hunter2@h/-1", "database's number"},
		{"several hosts of a single server", "redis://:hunter2@h1,h2", "redis+sentinel://"},
		{"a switch that turns certificate checks off", "rediss://:hunter2@h?skip_verify=true", "no options"},
		{"the same among sentinels", "rediss+sentinel://:hunter2@h/m?skip_verify=true", "no options but"},
		{"the same in a cluster", "rediss+cluster://:hunter2@h?skip_verify=true", "takes no options"},
		{"a query that is none", "redis+sentinel://:hunter2@h/m?%zz", "name=value"},
		{"sentinels without a master", "redis+sentinel://:hunter2@h1,h2", "master's name"},
		{"a cluster with a database", "redis+cluster://:hunter2@h1/1", "no databases"},
		{"a socket without a path", "unix://hunter2", "absolute path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Config{Redis: config.Redis{URL: vendors.NewSecret(c.url)}}
			got, err := cfg.RedisOptions()
			if err == nil || got != nil {
				t.Fatalf("got %v, want a refusal", got)
			}
			if !strings.HasPrefix(err.Error(), "redis.url: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want redis.url and %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got the password in %q", err)
			}
		})
	}
}
