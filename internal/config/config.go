// Package config reads the one YAML file that a worker and a producer share.
//
// It knows every key of the file, its default and what is right for it; where
// in the file a fault stands; and how secrets come in from the environment and
// from files. It knows the vendors only as specs that are handed to it, opens
// no connection, and refuses to guess: what it does not know is a fault. No
// fault and no print of a Config holds a secret.
package config

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// Config is a file that was read, with every default filled in and every rule
// of this package fulfilled. It is not changed after Load and may be shared.
type Config struct {
	// File is the path that it was read from.
	File string `json:"-" yaml:"-"`

	Redis    Redis    `yaml:"redis"`
	HTTP     HTTP     `yaml:"http"`
	Log      Log      `yaml:"log"`
	Worker   Worker   `yaml:"worker"`
	Retry    Retry    `yaml:"retry"`
	Ledger   Ledger   `yaml:"ledger"`
	Feedback Feedback `yaml:"feedback"`
	// Apps are the tenants by name; none is right for a producer, not for a worker.
	Apps map[string]*App `yaml:"-"`
	// Tables holds every vendor's codes with the file's overrides in them.
	Tables map[string]*classify.Table `json:"-" yaml:"-"`
}

// Redis says where the queue is.
type Redis struct {
	// URL may hold a password; RedisOptions takes it apart.
	URL vendors.Secret `yaml:"url"`
	// EncryptionKey is 32 random bytes in base64; empty: access tokens lie in
	// Redis as they are. Every worker has the same.
	EncryptionKey vendors.Secret `yaml:"encryption_key"`
}

// keySize is that of AES-256, in bytes.
const keySize = 32

// Key is what access tokens are encrypted with; nil: nothing.
func (r Redis) Key() []byte {
	if r.EncryptionKey.Empty() {
		return nil
	}
	key, _ := base64.StdEncoding.DecodeString(r.EncryptionKey.Reveal()) // checked at load
	return key
}

// HTTP is the worker's own server: UI, metrics, health and receipts.
type HTTP struct {
	Listen string `yaml:"listen"` // host:port
	// Username and Password guard the UI; both are empty only on a loopback address.
	Username string         `yaml:"username"`
	Password vendors.Secret `yaml:"password"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // trace, debug, info, warn or error
	Format string `yaml:"format"` // json or console
}

// Worker bounds what one worker does.
type Worker struct {
	// Vendors are the lanes to run; empty: every vendor that an app configures.
	Vendors []string `yaml:"vendors"`
	// Concurrency is the number of requests in flight for each vendor.
	Concurrency int `yaml:"concurrency"`
	// Linger is how long small tasks wait for each other; 0: not at all.
	Linger time.Duration `yaml:"linger"`
	// ShutdownTimeout is longer than every account's Timeout.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// Retry is the backoff policy.
type Retry struct {
	// Attempts counts requests, the first included; at least 1.
	Attempts int           `yaml:"attempts"`
	First    time.Duration `yaml:"first"` // the wait after the first attempt
	Max      time.Duration `yaml:"max"`   // the longest wait, at least First
}

// Ledger says how long a job's ledger outlives the job.
type Ledger struct {
	Keep time.Duration `yaml:"keep"`
}

// Feedback is about the feed of invalid tokens.
type Feedback struct {
	Webhook Webhook `yaml:"webhook"`
	Guard   Guard   `yaml:"guard"`
}

// Webhook gets the feed as signed POST requests; an empty URL: nobody does.
type Webhook struct {
	// URL is a Secret since such addresses often carry a key.
	URL vendors.Secret `yaml:"url"`
	// Secret is the key of the signature; set whenever URL is.
	Secret vendors.Secret `yaml:"secret"`
}

// Guard holds feed entries back when a vendor calls nearly everything invalid.
type Guard struct {
	Min   int     `yaml:"min"`   // answers before a judgement, at least 1
	Ratio float64 `yaml:"ratio"` // over 0, at most 1
}

// defaults returns what holds where the file says nothing.
func defaults(file string) *Config {
	return &Config{
		File:     file,
		Redis:    Redis{URL: vendors.NewSecret("redis://127.0.0.1:6379/0")},
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Log:      Log{Level: "info", Format: "json"},
		Worker:   Worker{Concurrency: 64, Linger: 10 * time.Millisecond, ShutdownTimeout: 20 * time.Second},
		Retry:    Retry{Attempts: 8, First: time.Second, Max: 10 * time.Minute},
		Ledger:   Ledger{Keep: 168 * time.Hour},
		Feedback: Feedback{Guard: Guard{Min: 20, Ratio: 0.9}},
		Apps:     map[string]*App{},
		Tables:   map[string]*classify.Table{},
	}
}

// App is one tenant.
type App struct {
	// Vendors holds its accounts by vendor name; at least one.
	Vendors map[string]*Account
}

// Account is one app's block for one vendor.
type Account struct {
	// Settings are the vendor's own: credentials and addresses, without faults.
	Settings vendors.Settings `yaml:"-"`
	// Rate is in the vendor's unit per second, over all workers; nil: the
	// vendor's documented floor, 0: no limit. RateOf resolves it.
	Rate *float64 `yaml:"rate"`
	// Batch is the most tokens in one request: from 1 to the vendor's limit.
	Batch int `yaml:"batch"`
	// Timeout bounds one request.
	Timeout time.Duration `yaml:"timeout"`
	// Delivery holds for jobs that do not say; never empty.
	Delivery push.Delivery `yaml:"delivery"`
	Receipts Receipts      `yaml:"receipts"`
}

// RateOf returns the limit in spec.Unit per second; 0: no limit.
func (a *Account) RateOf(spec vendors.Spec) float64 {
	if a.Rate == nil {
		return spec.Rate
	}
	return *a.Rate
}

// Served returns the vendors whose lanes a worker runs, sorted: those that some
// app configures and that worker.vendors, if given, names.
func (c *Config) Served() []string {
	names := map[string]bool{}
	for _, app := range c.Apps {
		for name := range app.Vendors {
			if len(c.Worker.Vendors) == 0 || slices.Contains(c.Worker.Vendors, name) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// CheckWorker reports why a worker cannot run with this configuration although
// a producer can: there is no app, or none for the vendors that it is to
// serve. The error is an *Error.
func (c *Config) CheckWorker() error {
	switch {
	case len(c.Apps) == 0:
		return &Error{Faults: []Fault{{File: c.File, Key: "apps", Reason: "a worker needs at least one app: see the example for its block"}}}
	case len(c.Served()) == 0:
		return &Error{Faults: []Fault{{
			File: c.File, Key: "worker.vendors",
			Reason: "no app configures any of " + strings.Join(c.Worker.Vendors, ", ") + ": name one that does, or leave it empty",
		}}}
	}
	return nil
}
