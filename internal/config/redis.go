package config

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// RedisOptions parses redis.url:
//
//	redis://[user:password@]host[:port][/db]           one server
//	rediss://…                                         the same with TLS
//	unix://[user:password@]/path/to/redis.sock[?db=n]  one server, by its socket
//	redis+sentinel://[user:password@]h1[:port],h2/master[/db]
//	redis+cluster://[user:password@]h1[:port],h2
//
// The last two also exist with rediss. The default port is 6379, of sentinels
// 26379. User and password are those of the servers; those of the sentinels are
// sentinel_username and sentinel_password in the query. Parts with special
// characters are percent-encoded. Certificates are always verified. An error
// names redis.url and contains no part of its value; after Load there is no error.
func (c *Config) RedisOptions() (*redis.UniversalOptions, error) {
	o, reason := parseRedis(c.Redis.URL.Reveal())
	if reason != "" {
		return nil, errors.New("redis.url: " + reason)
	}
	return o, nil
}

const redisForm = "must look like redis://host:6379/0, rediss://…, unix:///path, redis+sentinel://h1,h2/master/0 or redis+cluster://h1,h2"

// parseRedis does not use net/url, which refuses several hosts with ports and
// quotes the password in its errors, nor the client library's parser, which has an
// option that switches certificate checks off.
func parseRedis(address string) (o *redis.UniversalOptions, reason string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return nil, redisForm
	}
	rest, query, _ := strings.Cut(rest, "?")
	o = &redis.UniversalOptions{}
	hosts, path, reason := authority(o, rest)
	if reason != "" {
		return nil, reason
	}
	transport, mode, _ := strings.Cut(scheme, "+")
	if transport == "rediss" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case transport == "unix" && mode == "":
		return o, socket(o, hosts, path, query)
	case transport != "redis" && transport != "rediss":
		return nil, redisForm
	}
	switch mode {
	case "":
		return o, single(o, scheme, hosts, path, query)
	case "sentinel":
		return o, sentinel(o, hosts, path, query)
	case "cluster":
		return o, cluster(o, hosts, path, query)
	}
	return nil, redisForm
}

// authority splits user:password@hosts/path and stores user and password.
func authority(o *redis.UniversalOptions, rest string) (hosts, path, reason string) {
	hosts, path, _ = strings.Cut(rest, "/")
	at := strings.LastIndexByte(hosts, '@')
	if at < 0 {
		return hosts, path, ""
	}
	user, password, _ := strings.Cut(hosts[:at], ":")
	var userErr, passErr error
	o.Username, userErr = url.PathUnescape(user)
	o.Password, passErr = url.PathUnescape(password)
	if userErr != nil || passErr != nil {
		return "", "", "has a wrong percent-encoding in user or password: write %25 for a percent sign"
	}
	return hosts[at+1:], path, ""
}

func single(o *redis.UniversalOptions, scheme, hosts, path, query string) string {
	switch {
	case strings.Contains(hosts, ","):
		return "has several hosts: use " + scheme + "+sentinel:// or " + scheme + "+cluster://"
	case query != "":
		return "takes no options after ?: end the URL before it"
	}
	if reason := addresses(o, hosts, "6379"); reason != "" {
		return reason
	}
	return database(o, path)
}

func socket(o *redis.UniversalOptions, host, path, query string) string {
	if host != "" || path == "" {
		return "must have an absolute path: unix:///path/to/redis.sock"
	}
	file, err := url.PathUnescape("/" + path)
	if err != nil {
		return "has a wrong percent-encoding in the path: write %25 for a percent sign"
	}
	o.Addrs = []string{file}
	values, reason := options(query, "db")
	if reason != "" {
		return reason
	}
	return database(o, values.Get("db"))
}

func sentinel(o *redis.UniversalOptions, hosts, path, query string) string {
	master, db, _ := strings.Cut(path, "/")
	if master == "" {
		return "lacks the master's name after the hosts: redis+sentinel://h1,h2/master/0"
	}
	name, err := url.PathUnescape(master)
	if err != nil {
		return "has a wrong percent-encoding in the master's name: write %25 for a percent sign"
	}
	o.MasterName = name
	values, reason := options(query, "sentinel_username", "sentinel_password")
	if reason != "" {
		return reason
	}
	o.SentinelUsername, o.SentinelPassword = values.Get("sentinel_username"), values.Get("sentinel_password")
	if reason := addresses(o, hosts, "26379"); reason != "" {
		return reason
	}
	return database(o, db)
}

func cluster(o *redis.UniversalOptions, hosts, path, query string) string {
	if path != "" || query != "" {
		return "names a database or options, which a cluster does not have: end the URL after the hosts"
	}
	o.IsClusterMode = true
	return addresses(o, hosts, "6379")
}

// addresses stores the hosts, each with its port or the default one.
func addresses(o *redis.UniversalOptions, hosts, port string) string {
	for host := range strings.SplitSeq(hosts, ",") {
		name, own, err := net.SplitHostPort(host)
		if err != nil {
			name, own = strings.Trim(host, "[]"), port
		}
		n, err := strconv.ParseUint(own, 10, 16)
		if err != nil || n == 0 || !hostName(name) {
			return "must have hosts like 10.0.0.1, redis.example:6379 or [::1]:6379"
		}
		o.Addrs = append(o.Addrs, net.JoinHostPort(name, own))
	}
	return ""
}

func hostName(name string) bool {
	if strings.Contains(name, ":") {
		return net.ParseIP(strings.Split(name, "%")[0]) != nil
	}
	return name != "" && !strings.ContainsAny(name, " \t\r\n/[]@%#")
}

func database(o *redis.UniversalOptions, db string) string {
	if db == "" {
		return ""
	}
	n, err := strconv.ParseUint(db, 10, 16)
	if err != nil {
		return "must end with the database's number, like /0"
	}
	o.DB = int(n)
	return ""
}

// options parses a query that may contain only the known names.
func options(query string, known ...string) (url.Values, string) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, "has a part after ? that is not name=value"
	}
	count := 0
	for _, k := range known {
		count += len(values[k])
	}
	for _, v := range values {
		count -= len(v)
	}
	if count != 0 {
		return nil, "takes only the options " + strings.Join(known, ", ") + " after ?"
	}
	return values, ""
}
