package worker

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/postrider/postrider/internal/simulator"
)

// requestLog records what the vendors saw of each token: the idempotency keys of the
// requests with it, and how often it was accepted.
type requestLog struct {
	mu    sync.Mutex
	keys  map[string][]string
	taken map[string]int
}

func newRequestLog() *requestLog {
	return &requestLog{keys: map[string][]string{}, taken: map[string]int{}}
}

// note is called by the simulator for each request.
func (s *requestLog) note(r simulator.Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tree := parse(string(r.Body))
	for i, b := range r.Tokens {
		token := string(b)
		key, _ := keyOf(tree, token)
		s.keys[token] = append(s.keys[token], key)
		if r.Judged && r.Accepted[i] {
			s.taken[token]++
		}
	}
}

// of returns the keys of the requests that had the token.
func (s *requestLog) of(token string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys[token])
}

func (s *requestLog) accepted(token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken[token]
}

// parse reads a body: JSON, or a form whose values may be JSON.
func parse(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return unfold(v)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return text
	}
	all := map[string]any{}
	for name, values := range form {
		all[name] = parse1(values[0])
	}
	return all
}

func parse1(text string) any {
	var v any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(text), &v) == nil {
		return unfold(v)
	}
	return text
}

// unfold parses JSON texts inside a value.
func unfold(v any) any {
	switch v := v.(type) {
	case string:
		return parse1(v)
	case map[string]any:
		for name, one := range v {
			v[name] = unfold(one)
		}
	case []any:
		for i, one := range v {
			v[i] = unfold(one)
		}
	}
	return v
}

// keyFields are the fields in which requests have the idempotency key or a value derived from it.
var keyFields = []string{"taskId", "message_id", "app_message_id", "requestId", "extra.jobkey", "jobkey", "bi_tag", "appMessageId", "DataId"}

// keyOf returns a token's key in a body: that of the innermost value with both.
func keyOf(v any, token string) (key string, has bool) {
	var children []any
	switch v := v.(type) {
	case string:
		return "", slices.ContainsFunc([]string{",", ";"}, func(sep string) bool {
			return slices.Contains(strings.Split(v, sep), token)
		})
	case map[string]any:
		for _, one := range v {
			children = append(children, one)
		}
	case []any:
		children = v
	}
	for _, one := range children {
		if k, ok := keyOf(one, token); ok {
			if k != "" {
				return k, true
			}
			has = true
		}
	}
	if has {
		return findKey(v), true
	}
	return "", false
}

// findKey returns the value of the first key field inside a value.
func findKey(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range keyFields {
			if text, ok := v[name].(string); ok && text != "" {
				return text
			}
		}
		for _, one := range v {
			if key := findKey(one); key != "" {
				return key
			}
		}
	case []any:
		for _, one := range v {
			if key := findKey(one); key != "" {
				return key
			}
		}
	}
	return ""
}

// KeyIn returns a token's idempotency key in a request's body, for tests
// outside of this package.
func KeyIn(body []byte, token string) string {
	key, _ := keyOf(parse(string(body)), token)
	return key
}
