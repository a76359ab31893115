package push

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// DefaultDedupWindow is how long a finished job's id stays taken.
const DefaultDedupWindow = 24 * time.Hour

// Options are the settings of a Client.
type Options struct {
	// Vendors are the vendors that jobs may name. Required.
	Vendors []Vendor
	// Apps are the apps that jobs may name, with their vendors. Nil: every app is
	// accepted, and workers keep the tasks of an app that they do not know.
	Apps map[string]App
	// DedupWindow is how long a finished job's id stays taken. Zero: 24 h.
	DedupWindow time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Client enqueues jobs. It is safe for concurrent use. The caller closes the Redis
// client.
type Client struct {
	rdb     redis.UniversalClient
	vendors map[string]Vendor
	apps    map[string]App
	window  time.Duration
	now     func() time.Time
	// heartbeatEvery is the time between two heartbeats of a stream.
	heartbeatEvery time.Duration
	// published holds the lanes that asynq knows.
	published sync.Map
}

// NewClient returns a Client that enqueues into rdb.
func NewClient(rdb redis.UniversalClient, o Options) (*Client, error) {
	if len(o.Vendors) == 0 {
		return nil, errors.New("new push client: Options.Vendors is empty: pass the registry's vendors")
	}
	c := &Client{rdb: rdb, vendors: map[string]Vendor{}, apps: o.Apps, window: o.DedupWindow, now: o.Now, heartbeatEvery: heartbeatEvery}
	for _, v := range o.Vendors {
		if v.Batch < 1 || v.Batch > wire.MaxTokens {
			return nil, fmt.Errorf("new push client: vendor %q has a Batch of %d, want 1 to %d", v.Name, v.Batch, wire.MaxTokens)
		}
		c.vendors[v.Name] = v
	}
	if c.window <= 0 {
		c.window = DefaultDedupWindow
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// Result says what was accepted of a job.
type Result struct {
	Job string `json:"job"`
	// Accepted counts the distinct tokens that will be sent to.
	Accepted int `json:"accepted"`
	// Refused lists the tokens that cannot be sent to.
	Refused []Refusal `json:"refused"`
	// Chunks counts the chunks that have tokens of the job.
	Chunks int `json:"chunks"`
}

// Refusal is one token that was refused. It never holds the token.
type Refusal struct {
	// Position counts from 1: in the vendor's list of a job, or the lines of a file.
	Position int    `json:"position"`
	Vendor   string `json:"vendor"`
	Reason   string `json:"reason"`
}

// app finds an app; if no apps are known, every app is accepted.
func (c *Client) app(name string) (App, bool) {
	if c.apps == nil {
		return nil, true
	}
	a, ok := c.apps[name]
	return a, ok
}

// batch is the most tokens of one request, with a test message or another.
func (c *Client) batch(app, vendor string, test bool) int {
	v := c.vendors[vendor]
	n := v.Batch
	if test && v.TestBatch > 0 {
		n = v.TestBatch
	}
	if a, ok := c.apps[app]; ok && a[vendor].Batch > 0 {
		n = min(n, a[vendor].Batch)
	}
	return n
}

// atMostOnce reports whether a job is delivered at most once at one vendor.
func (c *Client) atMostOnce(j *Job, vendor string) bool {
	d := j.Delivery
	if d == "" {
		d = c.apps[j.App][vendor].Delivery
	}
	return d == AtMostOnce
}

func (c *Client) appNames() string    { return names(c.apps) }
func (c *Client) vendorNames() string { return names(c.vendors) }

func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// NewID generates a job id.
func NewID() string { return strings.ToLower(rand.Text()) }

// prepared is a job whose defaults are filled in.
type prepared struct {
	*Job
	message string // encoded
	digest  string // of the message: 32 hex digits
	start   time.Time
	expires time.Time
}

// prepare fills in the defaults of a job that was checked.
func prepare(j *Job, now time.Time) (*prepared, error) {
	if j.ID == "" {
		j.ID = NewID()
	}
	if j.Priority == "" {
		j.Priority = Normal
	}
	p := &prepared{Job: j, start: now, expires: j.ExpiresAt}
	if j.NotBefore.After(now) {
		p.start = j.NotBefore
	}
	if p.expires.IsZero() {
		p.expires = p.start.Add(j.Message.Lifetime())
	}
	b, err := json.Marshal(&j.Message)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	p.message, p.digest = string(b), Digest(j.App, b)
	return p, nil
}

// Lifetime is the message's TTL, or DefaultTTL where it has none.
func (m *Message) Lifetime() time.Duration {
	if m.TTL == 0 {
		return DefaultTTL
	}
	return time.Duration(m.TTL)
}

// Digest identifies an encoded message of an app by its content: 32 hex digits.
func Digest(app string, message []byte) string {
	h := sha256.New()
	h.Write([]byte(app + "\x00"))
	h.Write(message)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// scheduled is the Unix second before which the job's tasks must not run, or 0.
func (p *prepared) scheduled(now time.Time) int64 {
	if !p.start.After(now) {
		return 0
	}
	return p.start.Add(time.Second - 1).Unix()
}
