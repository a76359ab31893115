package push

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push/text"
)

// Limits of a job that hold for every vendor.
const (
	// MaxTokenBytes is the longest token that is accepted.
	MaxTokenBytes = 4096
	// MaxIDBytes is the longest job id.
	MaxIDBytes = 200
)

// Vendor is what a Client has to know about a vendor.
type Vendor struct {
	Name string
	// Batch is the most tokens of one request.
	Batch int
	// MinBatch is the fewest tokens of such a request, for vendors where a single
	// token needs another kind of request: 1,001 tokens are cut into 999 and 2.
	// 0 means 1.
	MinBatch int
	// TestBatch is the most tokens of one request with a test message. 0: Batch.
	TestBatch int
	// Check reports what in a message breaks a hard limit of the vendor; nil: nothing does.
	Check func(*Message) []Fault
}

// App is what a Client has to know about an app: its vendors by name.
type App map[string]AppVendor

// AppVendor holds an app's settings at one vendor that concern enqueueing.
type AppVendor struct {
	Batch    int      // most tokens of one request; 0: the vendor's limit
	Delivery Delivery // for jobs that name none; empty: AtLeastOnce
}

// check reports everything wrong with the job except its tokens, which are
// checked one by one. named are the vendors that the job has targets for.
func (c *Client) check(j *Job, named []string, now time.Time) []Fault {
	var f faults
	if j.ID != "" {
		f.id("id", j.ID)
	}
	f.word("priority", string(j.Priority), string(High), string(Normal), string(Bulk))
	f.word("delivery", string(j.Delivery), string(AtLeastOnce), string(AtMostOnce))
	f.times(j, now)
	f.message(&j.Message)
	f.texts(&j.Message)
	app, known := c.app(j.App)
	switch {
	case j.App == "":
		f.add("app", "is missing: name the app that the job belongs to")
	case !ValidApp(j.App):
		f.add("app", "is not an app's name: "+AppRule)
	case !known:
		f.add("app", fmt.Sprintf("%q is not configured; configured are %s", text.Name(j.App), c.appNames()))
	}
	if len(named) == 0 {
		f.add("targets", "are missing: give at least one token, as {\"<vendor>\": [\"<token>\"]}")
	}
	for _, name := range named {
		v, ok := c.vendors[name]
		if !ok {
			f = append(f, c.noVendor(name, j.Targets[name]))
			continue
		}
		if _, has := app[name]; known && c.apps != nil && !has {
			f.add("targets."+name, fmt.Sprintf("app %s has no settings for %s", j.App, name))
			continue
		}
		if v.Check != nil {
			f = append(f, v.Check(&j.Message)...)
		}
	}
	for name := range j.Message.Overrides {
		if _, ok := c.vendors[name]; !ok {
			f.add("message.overrides."+text.Name(name), "is not a vendor; vendors are "+c.vendorNames())
		}
	}
	slices.SortStableFunc(f, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	return slices.Compact(f)
}

// maxAppBytes is the longest name of an app.
const maxAppBytes = 64

// AppRule says in words what ValidApp requires.
const AppRule = "letters, digits, dots, dashes and underscores, beginning with a letter or digit, at most 64"

// ValidApp reports whether a name is allowed for an app: it becomes part of keys, paths
// and labels. Configurations and jobs have the same rule.
func ValidApp(name string) bool {
	for i, r := range name {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", r)) {
			return false
		}
	}
	return name != "" && len(name) <= maxAppBytes
}

// noVendor is the fault of targets whose vendor does not exist. With the columns
// of a file swapped the name is a token.
func (c *Client) noVendor(name string, tokens []string) Fault {
	for _, t := range tokens {
		if _, swapped := c.vendors[t]; swapped {
			return Fault{"targets." + text.Masked(name), fmt.Sprintf("is not a vendor, and its token is %q: are they swapped? The vendor comes first", t)}
		}
	}
	known := slices.Sorted(maps.Keys(c.vendors))
	if near := text.Nearest(name, known); near != "" {
		return Fault{"targets." + text.Name(name), fmt.Sprintf("is not a vendor: did you mean %s?", near)}
	}
	return Fault{"targets." + text.Name(name), "is not a vendor; vendors are " + strings.Join(known, ", ")}
}

type faults []Fault

func (f *faults) add(field, reason string) { *f = append(*f, Fault{field, reason}) }

// word requires one of the words, or nothing.
func (f *faults) word(field, v string, words ...string) {
	if v != "" && !slices.Contains(words, v) {
		f.add(field, fmt.Sprintf("is %q, want %s", text.Name(v), strings.Join(words, ", ")))
	}
}

func (f *faults) id(field, id string) {
	switch {
	case len(id) > MaxIDBytes:
		f.add(field, fmt.Sprintf("has %d bytes, at most %d", len(id), MaxIDBytes))
	case !utf8.ValidString(id):
		f.add(field, "is not UTF-8")
	case strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '{' || r == '}' }):
		f.add(field, "may hold printable characters only, no white space and no { or }")
	}
}

func (f *faults) times(j *Job, now time.Time) {
	switch {
	case j.ExpiresAt.IsZero():
	case !j.ExpiresAt.After(now):
		f.add("expires_at", fmt.Sprintf("%s is in the past", j.ExpiresAt.Format(time.RFC3339)))
	case !j.ExpiresAt.After(j.NotBefore):
		f.add("expires_at", "is not after not_before: nothing could ever be sent")
	}
}

func (f *faults) message(m *Message) {
	f.word("message.kind", string(m.Kind), string(Notification), string(Data))
	f.word("message.class", string(m.Class), string(Service), string(Marketing))
	if strings.ContainsFunc(m.Category, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '_' && (r < '0' || r > '9') }) {
		f.add("message.category", fmt.Sprintf("is %q, want upper-case letters like ORDER or DEVICE_REMINDER", text.Name(m.Category)))
	}
	if m.Kind != Data {
		if strings.TrimSpace(m.Title) == "" {
			f.add("message.title", "is missing: a notification needs one")
		}
		if strings.TrimSpace(m.Body) == "" {
			f.add("message.body", "is missing: a notification needs one")
		}
	} else if len(m.Data) == 0 {
		f.add("message.data", "is missing: a data message needs some")
	}
	if m.TTL < 0 {
		f.add("message.ttl", "is negative")
	}
	if m.Badge != nil && *m.Badge < 0 {
		f.add("message.badge", "is negative: 0 clears the badge")
	}
	f.click(m.Click)
	if u, err := url.Parse(m.Image); m.Image != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		f.add("message.image", "is not an https URL")
	}
	for name, raw := range m.Overrides {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil || object == nil {
			f.add("message.overrides."+text.Name(name), "is not a JSON object")
		}
	}
}

func (f *faults) click(c *Click) {
	if c == nil {
		return
	}
	f.word("message.click.action", string(c.Action), string(ClickApp), string(ClickURL), string(ClickIntent), string(ClickActivity))
	switch {
	case c.Action == "":
		f.add("message.click.action", "is missing: want app, url, intent or activity")
	case c.Action != ClickApp && c.Target == "":
		f.add("message.click.target", fmt.Sprintf("is missing: action %s needs one", c.Action))
	}
}

// checkToken says why a token cannot be accepted, or "".
func checkToken(t []byte) string {
	switch {
	case len(t) == 0:
		return "is empty"
	case len(t) > MaxTokenBytes:
		return fmt.Sprintf("has %d bytes, at most %d", len(t), MaxTokenBytes)
	case plain(t):
		return ""
	case !utf8.Valid(t):
		return "is not UTF-8"
	}
	for _, r := range string(t) {
		switch {
		case r == utf8.RuneError:
			return "holds U+FFFD, which stands for what was not UTF-8"
		case unicode.IsSpace(r):
			return "holds white space"
		case unicode.IsControl(r):
			return "holds a control character"
		case r == ',' || r == ';':
			return fmt.Sprintf("holds %q, which separates tokens at the vendors", r)
		}
	}
	return ""
}

// plain tells, eight bytes at a time because it is asked of every token of a
// campaign, that all of a token is visible ASCII other than "," and ";". It returns
// false for a token that is not, and for a shorter one.
func plain(t []byte) bool {
	if len(t) < 8 {
		return false
	}
	bad := oddBytes(binary.LittleEndian.Uint64(t[len(t)-8:])) // those before may overlap
	for ; len(t) > 8; t = t[8:] {
		bad |= oddBytes(binary.LittleEndian.Uint64(t))
	}
	return bad == 0
}

// oddBytes is not 0 if one of the eight bytes is not visible ASCII, or "," or
// ";". A byte's high bit is set in w if it is not ASCII; in w+1 also if it is
// DEL; and in x-n, but not in x, if it was below n. A carry into a neighbour comes
// from a byte that is itself at fault.
func oddBytes(w uint64) uint64 {
	const ones = 0x0101010101010101 // times a byte: that byte eight times
	comma, semicolon := w^ones*',', w^ones*';'
	return (w | (w + ones) | (w-ones*'!')&^w | (comma-ones)&^comma | (semicolon-ones)&^semicolon) & (ones << 7)
}
