package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// want adds a fault unless ok.
func (d *decoder) want(ok bool, path, reason string) {
	if !ok {
		d.fault(path, reason)
	}
}

// check holds the rules that a key's type does not express.
func (d *decoder) check(c *Config) {
	_, reason := parseRedis(c.Redis.URL.Reveal())
	d.want(reason == "", "redis.url", reason)
	d.want(c.Redis.EncryptionKey.Empty() || len(c.Redis.Key()) == keySize, "redis.encryption_key",
		"wants 32 random bytes in base64, as openssl rand -base64 32 prints them")
	d.checkHTTP(c.HTTP)
	d.word("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	d.word("log.format", c.Log.Format, "json", "console")
	d.checkWorker(c)
	d.want(c.Retry.Attempts >= 1, "retry.attempts", "wants at least 1: it counts requests, the first included")
	d.want(c.Retry.First > 0, "retry.first", "wants a duration over 0")
	d.want(c.Retry.First <= c.Retry.Max, "retry.max", "wants at least retry.first")
	d.want(c.Ledger.Keep > 0, "ledger.keep", "wants a duration over 0")
	d.want(c.Feedback.Guard.Min >= 1, "feedback.guard.min", "wants at least 1 answer")
	d.want(c.Feedback.Guard.Ratio > 0 && c.Feedback.Guard.Ratio <= 1, "feedback.guard.ratio", "wants a share over 0 and at most 1, like 0.9")
	d.checkWebhook(c.Feedback.Webhook)
}

func (d *decoder) word(path, got string, known ...string) {
	d.want(slices.Contains(known, got), path, "wants one of "+strings.Join(known, ", "))
}

func (d *decoder) checkHTTP(h HTTP) {
	host, port, err := net.SplitHostPort(h.Listen)
	_, numErr := strconv.ParseUint(port, 10, 16) // 0 takes a free one
	if err != nil || numErr != nil {
		d.fault("http.listen", "wants host:port, like 127.0.0.1:8080")
		return
	}
	const open = "is required, since http.listen is not a loopback address and the UI shows every job"
	const half = "is required: http.username and http.password go together"
	local := httpx.Loopback(host)
	d.want(h.Username != "" || local, "http.username", open)
	d.want(!h.Password.Empty() || local, "http.password", open)
	d.want(h.Username != "" || h.Password.Empty(), "http.username", half)
	d.want(!h.Password.Empty() || h.Username == "", "http.password", half)
	d.want(!strings.Contains(h.Username, ":"), "http.username", "may not hold a colon: basic auth ends the name there")
}

func (d *decoder) checkWorker(c *Config) {
	names := make([]string, len(d.specs))
	for i, spec := range d.specs {
		names[i] = spec.Name
	}
	for i, name := range c.Worker.Vendors {
		at := fmt.Sprintf("worker.vendors[%d]", i+1)
		d.want(slices.Contains(names, name), at, "is no vendor"+suggest(name, names))
		d.want(!slices.Contains(c.Worker.Vendors[:i], name), at, "stands twice")
	}
	d.want(c.Worker.Concurrency >= 1, "worker.concurrency", "wants at least 1 request in flight")
	d.want(c.Worker.Linger >= 0, "worker.linger", "wants a duration, or 0 for off")
	d.want(c.Worker.ShutdownTimeout > 0, "worker.shutdown_timeout", "wants a duration over 0")
	d.checkShutdown(c)
}

// checkShutdown points to the shutdown timeout if the file has one, else to the
// longest request timeout: that is then what the user wrote.
func (d *decoder) checkShutdown(c *Config) {
	const shutdown = "worker.shutdown_timeout"
	longest, path := time.Duration(0), ""
	for appName, app := range c.Apps {
		for vendor, a := range app.Vendors {
			at := "apps." + appName + "." + vendor + ".timeout"
			if a.Timeout > longest || a.Timeout == longest && at < path {
				longest, path = a.Timeout, at
			}
		}
	}
	if longest < c.Worker.ShutdownTimeout || d.faulted[path] {
		return
	}
	if _, written := d.lines[shutdown]; written {
		d.fault(shutdown, fmt.Sprintf("must be longer than every request timeout: %s is %s", path, longest))
		return
	}
	d.fault(path, fmt.Sprintf("must be shorter than %s, which is %s", shutdown, c.Worker.ShutdownTimeout))
}

func (d *decoder) checkWebhook(w Webhook) {
	const path = "feedback.webhook.url"
	if w.URL.Empty() {
		return
	}
	u, err := url.Parse(w.URL.Reveal())
	switch {
	case err != nil, u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http":
		d.fault(path, "is not a URL: write it like https://host/path")
	case u.Scheme == "http" && !httpx.Loopback(u.Hostname()):
		d.fault(path, "plain http is accepted for loopback hosts only: use https")
	case u.User != nil || u.Fragment != "":
		d.fault(path, "may not hold a user or a fragment: the signature says who calls")
	}
	d.want(!w.Secret.Empty(), "feedback.webhook.secret", "is required with a url: it signs every request")
}
