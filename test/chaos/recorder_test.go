package chaos

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// request is a request that a vendor processed.
type request struct {
	vendor   string
	worker   int
	from, to time.Time // when it arrived and was answered
	fault    string
	keys     []string // the vendor's idempotency keys
}

// recorder records what the vendors did with every token.
type recorder struct {
	workers map[string]int // worker numbers by the host of their requests

	mu       sync.Mutex
	requests []request
	accepted map[string][]int     // the requests that accepted a token
	invalid  map[string][]int     // the requests that called a token invalid
	refused  map[string]bool      // tokens whose request was too large with only this token: they are dropped
	latest   map[string]*lastSent // by wave: the last request with one of its tokens
}

type lastSent struct {
	at     time.Time
	worker int
}

func newRecorder() *recorder {
	return &recorder{
		workers: map[string]int{}, accepted: map[string][]int{}, invalid: map[string][]int{}, refused: map[string]bool{},
		latest: map[string]*lastSent{},
	}
}

// watch is called by the simulator for every request.
func (w *recorder) watch(s simulator.Seen) {
	if len(s.Tokens) == 0 {
		return
	}
	r := request{vendor: s.Vendor, from: s.At, to: time.Now(), fault: s.Fault, keys: keysOf(s.Vendor, s.Body)}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.worker = w.workers[s.Host]
	w.requests = append(w.requests, r)
	n := len(w.requests) - 1
	for i, raw := range s.Tokens {
		token := string(raw)
		w.noteSent(token, r)
		if faultKind(s.Fault) == "413" && len(s.Tokens) == 1 {
			w.refused[token] = true
		}
		switch {
		case !s.Judged:
		case s.Accepted[i]:
			w.accepted[token] = append(w.accepted[token], n)
		case strings.HasPrefix(token, bad):
			w.invalid[token] = append(w.invalid[token], n)
		}
	}
}

func (w *recorder) noteSent(token string, r request) {
	wave := waveOf(token)
	if p := w.latest[wave]; p == nil || r.from.After(p.at) {
		w.latest[wave] = &lastSent{r.from, r.worker}
	}
}

// keyFields are where each vendor's requests carry what makes a repeated one
// known: the vendor's own idempotency key (Spec.KeyFields), and for those below
// what stands for it in some requests, or the tag that lets the phone replace what
// it showed. vivo's list requests are known by their message.
var keyFields = keyPatterns(map[string][]string{
	"huawei": {"bi_tag"}, "honor": {"biTag"}, "harmony": {"biTag"}, "meizu": {"notifyKey"},
	"oppo": {"message_id"}, "vivo": {"taskId"}, "xiaomi": {"jobkey"}, "tim": {"MsgSeq"},
})

func keyPatterns(others map[string][]string) map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for _, spec := range registry.All() {
		var names []string
		for _, name := range append(slices.Clone(spec.KeyFields), others[spec.Name]...) {
			names = append(names, regexp.QuoteMeta(name))
		}
		if len(names) > 0 {
			all[spec.Name] = regexp.MustCompile(`\b(?:` + strings.Join(names, "|") + `)"?[=:]"?([^",&}]+)`)
		}
	}
	return all
}

func keysOf(vendor string, body []byte) (keys []string) {
	text := string(body)
	if plain, err := url.QueryUnescape(text); err == nil && !strings.HasPrefix(text, "{") {
		text = plain
	}
	pattern := keyFields[vendor]
	if pattern == nil {
		return nil // the vendor de-duplicates nothing
	}
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// sameKey reports whether two requests have a key in common, or the vendor knows
// no keys.
func sameKey(a, b request) bool {
	if keyFields[a.vendor] == nil {
		return true
	}
	return slices.ContainsFunc(a.keys, func(k string) bool { return slices.Contains(b.keys, k) })
}

func TestTheKeyOfEveryVendorIsFound(t *testing.T) {
	t.Parallel()
	for vendor, body := range map[string]string{
		"huawei": `{"message":{"android":{"bi_tag":"k1"},"token":["a"]}}`,
		"oppo":   "message_id=k1&target_type=2&target_value=a",
		"vivo":   `{"appId":1,"taskId":"k1","regIds":["a"],"requestId":"r"}`,
		"xiaomi": "description=x&extra.jobkey=k1&registration_id=a",
		"meizu":  `appId=1&messageJson=%7B%22advanceInfo%22%3A%7B%22notifyKey%22%3A%22k1%22%7D%7D&pushIds=a`,
		"tim":    `{"DataId":"k1","MsgRandom":5}`,
	} {
		if got := keysOf(vendor, []byte(body)); len(got) == 0 || got[0] != "k1" {
			t.Errorf("%s: found %q, want k1", vendor, got)
		}
	}
}
