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

// require adds a fault unless ok.
func (d *decoder) require(ok bool, path, reason string) {
	if !ok {
		d.fault(path, reason)
	}
}

// check holds the rules that a key's type does not express.
func (d *decoder) check(c *Config) {
	_, reason := parseRedis(c.Redis.URL.Reveal())
	d.require(reason == "", "redis.url", reason)
	d.require(c.Redis.EncryptionKey.Empty() || len(c.Redis.Key()) == keySize, "redis.encryption_key",
		"must be 32 random bytes in base64: run openssl rand -base64 32")
	d.checkHTTP(c.HTTP)
	d.requireOneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	d.requireOneOf("log.format", c.Log.Format, "json", "console")
	d.checkWorker(c)
	d.require(c.Retry.Attempts >= 1, "retry.attempts", "must be at least 1: it counts requests, the first included")
	d.require(c.Retry.First > 0, "retry.first", "must be a duration longer than 0, like 1s")
	d.require(c.Retry.First <= c.Retry.Max, "retry.max", "must be at least retry.first")
	d.require(c.Ledger.Keep > 0, "ledger.keep", "must be a duration longer than 0, like 168h")
	d.require(c.Feedback.Guard.Min >= 1, "feedback.guard.min", "must be at least 1 answer")
	d.require(c.Feedback.Guard.Ratio > 0 && c.Feedback.Guard.Ratio <= 1, "feedback.guard.ratio", "must be a share above 0 and at most 1, like 0.9")
	d.checkWebhook(c.Feedback.Webhook)
}

func (d *decoder) requireOneOf(path, got string, known ...string) {
	d.require(slices.Contains(known, got), path, "must be one of "+strings.Join(known, ", "))
}

func (d *decoder) checkHTTP(h HTTP) {
	host, port, err := net.SplitHostPort(h.Listen)
	_, numErr := strconv.ParseUint(port, 10, 16) // 0 takes a free one
	if err != nil || numErr != nil {
		d.fault("http.listen", "must be host:port, like 127.0.0.1:8080")
		return
	}
	const open = "is required, since http.listen is not a loopback address and the UI shows every job"
	const half = "is required: http.username and http.password go together"
	local := httpx.Loopback(host)
	d.require(h.Username != "" || local, "http.username", open)
	d.require(!h.Password.Empty() || local, "http.password", open)
	d.require(h.Username != "" || h.Password.Empty(), "http.username", half)
	d.require(!h.Password.Empty() || h.Username == "", "http.password", half)
	d.require(!strings.Contains(h.Username, ":"), "http.username", "must not contain a colon: basic auth ends the name there")
}

func (d *decoder) checkWorker(c *Config) {
	names := make([]string, len(d.specs))
	for i, spec := range d.specs {
		names[i] = spec.Name
	}
	for i, name := range c.Worker.Vendors {
		at := fmt.Sprintf("worker.vendors[%d]", i+1)
		d.require(slices.Contains(names, name), at, "is not a vendor"+suggest(name, names))
		d.require(!slices.Contains(c.Worker.Vendors[:i], name), at, "is listed twice: remove one")
	}
	d.require(c.Worker.Concurrency >= 1, "worker.concurrency", "must be at least 1 request in flight")
	d.require(c.Worker.Linger >= 0, "worker.linger", "must be 0, which is off, or a duration like 10ms")
	d.require(c.Worker.ShutdownTimeout > 0, "worker.shutdown_timeout", "must be a duration longer than 0, like 20s")
	d.checkShutdown(c)
}

// checkShutdown blames the shutdown timeout if the file contains it, otherwise the
// longest request timeout, which the user must have written then.
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
		d.fault(path, "plain http is accepted only for loopback hosts: use https")
	case u.User != nil || u.Fragment != "":
		d.fault(path, "must not contain a user or a fragment: requests are authenticated by their signature")
	}
	d.require(!w.Secret.Empty(), "feedback.webhook.secret", "is required with a url: every request is signed with it")
}
