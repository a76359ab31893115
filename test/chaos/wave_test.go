package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bad is the prefix of tokens that every vendor calls invalid.
const bad = "bad-"

// kind is the kind of a wave.
type kind string

const (
	plain     kind = "at least once, bulk"
	once      kind = "at most once"
	canceled  kind = "canceled midway"
	small     kind = "jobs of one token"
	marketing kind = "marketing, high"
	expiring  kind = "expires soon"
)

var kinds = []kind{plain, once, small, canceled, marketing, expiring}

// wave is a set of tokens that is enqueued at once: one job over all vendors, or many
// jobs of one token.
type wave struct {
	kind
	name     string
	at       time.Duration
	n        int
	tokens   map[string][]string // by vendor
	once     map[string]bool     // at-most-once tokens
	canceled time.Time           // when the cancel command had returned
	expires  time.Time           // only for kind expiring
	tries    int                 // runs of the command that enqueues it
}

// newWaves distributes tokens over the time in which faults occur.
func newWaves(tokens int, length time.Duration) []*wave {
	step := max(length/18, time.Second)
	n := max(len(kinds), int(length*3/4/step))
	var all []*wave
	for i := range n {
		all = append(all, newWave(kinds[i%len(kinds)], fmt.Sprintf("wave%03d", i), time.Duration(i)*step, tokens/n))
	}
	return all
}

func newWave(k kind, name string, at time.Duration, n int) *wave {
	w := &wave{kind: k, name: name, at: at, n: n, tokens: map[string][]string{}, once: map[string]bool{}}
	for i := range n {
		vendor := vendorNames[i%len(vendorNames)]
		token := fmt.Sprintf("%s.%s.%06d", name, vendor, i)
		if i/len(vendorNames)%40 == 7 {
			token = bad + token
		}
		w.tokens[vendor] = append(w.tokens[vendor], token)
		w.once[token] = k == once || k == small && i%3 == 0
	}
	return w
}

// waveOf returns the name of a token's wave.
func waveOf(token string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(token, bad), ".")
	return name
}

// job is a job in the command's JSON format.
type job struct {
	ID        string              `json:"id"`
	App       string              `json:"app"`
	Priority  string              `json:"priority,omitempty"`
	Delivery  string              `json:"delivery,omitempty"`
	ExpiresAt string              `json:"expires_at,omitempty"`
	Message   message             `json:"message"`
	Targets   map[string][]string `json:"targets"`
}

type message struct {
	Title string `json:"title"`
	Body  string `json:"body"`
	Class string `json:"class,omitempty"`
}

// jobs returns the wave's jobs.
func (w *wave) jobs() []job {
	j := job{ID: w.name, App: "demo", Message: message{Title: "Chaos", Body: w.name}, Targets: w.tokens}
	switch w.kind {
	case plain:
		j.Priority = "bulk"
	case once:
		j.Delivery = "at-most-once"
	case marketing:
		j.Priority, j.Message.Class = "high", "marketing"
	case expiring:
		j.ExpiresAt = w.expires.Format(time.RFC3339Nano)
	case small:
		return w.smallJobs(j)
	case canceled:
	}
	return []job{j}
}

// smallJobs returns a job for each token, some with the same message and some with different ones.
func (w *wave) smallJobs(like job) (all []job) {
	for vendor, tokens := range w.tokens {
		for i, token := range tokens {
			j := like
			j.ID = w.name + "." + vendor + "." + fmt.Sprint(i)
			j.Targets = map[string][]string{vendor: {token}}
			if w.once[token] {
				j.Delivery = "at-most-once"
			}
			if i%5 == 0 {
				j.Message.Body = fmt.Sprint("for ", vendor, " ", i)
			}
			all = append(all, j)
		}
	}
	return all
}

// ids returns the jobs' ids.
func (w *wave) ids() (ids []string) {
	for _, j := range w.jobs() {
		ids = append(ids, j.ID)
	}
	return ids
}

// command returns the command that enqueues the wave.
func (w *wave) command(config string) (*exec.Cmd, error) {
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, j := range w.jobs() {
		if err := enc.Encode(j); err != nil {
			return nil, err
		}
	}
	how := "--job"
	if w.kind == small {
		how = "--jobs"
	}
	cmd := exec.Command(filepath.Join(bin, "enqueue"), "send", how, "-", "--json", "--config", config)
	cmd.Stdin = &in
	return cmd, nil
}
