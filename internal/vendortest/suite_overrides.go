package vendortest

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// overridesAreHarmless tries to replace values that only a job may decide. It finds
// these values in a real request: those that contain a token or the access token,
// and Spec.KeyFields. For each it tries an override at every level of the request.
// Either Check refuses the override, or the value arrives unchanged.
func overridesAreHarmless(s *suite) {
	for _, m := range []*push.Message{{Title: "title", Body: "body"}, {Title: "title", Body: "body", Class: push.Marketing}} {
		if len(s.spec.Check(m)) > 0 {
			s.Fatalf("Check refuses a plain notification: %v", s.spec.Check(m))
		}
		for _, n := range []int{1, 2} {
			if n > s.spec.Batch {
				continue
			}
			for _, uploading := range []bool{false, true} {
				s := s.about("class %q to %d tokens, upload %v", m.Class, n, uploading)
				a := &attack{bench: s.bench(), message: m, tokens: []string{"distinct-token-1", "distinct-token-2"}[:n], uploading: uploading}
				if uploading && !a.uploads() {
					continue
				}
				a.succeed()
				a.run()
			}
		}
	}
}

// attack is a message with whose overrides the suite tries to change its request.
type attack struct {
	*bench
	message   *push.Message
	tokens    []string
	uploading bool // the request is the upload of the message
}

// uploads reports whether the message needs an upload.
func (a *attack) uploads() bool {
	u, ok := a.vendor.(vendors.Uploader)
	return ok && u.NeedsUpload(&vendors.Request{Message: a.message, Tokens: a.tokens})
}

// made is a decoded request.
type made struct {
	headers http.Header
	target  string
	values  map[string]any // by the path of member names, arrays left out: "message/token"
	text    string         // the body, unescaped
}

// hides reports whether the body contains a text that its values do not contain.
// Then it has a member twice, and decoding kept only the last one.
func (m made) hides(text string) bool {
	for path, v := range m.values {
		if strings.Contains(path, text) || strings.Contains(fmt.Sprint(v), text) {
			return false
		}
	}
	return strings.Contains(m.text, text)
}

const (
	stolenToken = "stolen-token"
	otherKey    = "ffffffffffffffffffffffffffffffff"
	otherAccess = "another-access-token"
)

func (a *attack) run() {
	a.Helper()
	plain := a.make(nil, testKey, testAccess)
	again := a.make(nil, testKey, testAccess)
	strict := changed(plain, a.make(nil, testKey, otherAccess), again)
	keyed := changed(plain, a.make(nil, otherKey, testAccess), again)
	for _, path := range a.keyPaths(plain) {
		if !keyed[path] {
			a.Errorf("the key field %s does not follow from the key", path)
		}
		strict[path] = true
	}
	for path, v := range plain.values {
		if text := fmt.Sprint(v); strings.Contains(text, a.tokens[0]) {
			strict[path] = true
		}
	}
	if !a.uploading && len(strict) == 0 && !a.inTarget(plain) {
		a.Fatalf("no value of the request contains the token: the suite cannot protect it")
	}
	for path := range strict {
		for _, override := range overridesFor(path) {
			a.about("override %s", override).judge(a, override, path, plain)
		}
	}
	for _, name := range []string{"Authorization", "authorization", "authToken", "auth_token", "access_token", "token", "Tokens", "to"} {
		for _, override := range overridesFor(name) {
			a.about("override %s", override).judge(a, override, "", plain)
		}
	}
}

// inTarget reports whether the token is in the request's address.
func (a *attack) inTarget(m made) bool { return strings.Contains(m.target, a.tokens[0]) }

// judge makes the request with an override and compares what is protected.
func (s *suite) judge(a *attack, override, path string, plain made) {
	s.Helper()
	if !a.permitted(override) {
		return
	}
	got := a.make(json.RawMessage(override), testKey, testAccess)
	if got.target != plain.target || !reflect.DeepEqual(got.headers, plain.headers) {
		s.Errorf("Check permits it, and it changes the address or a header")
	}
	if got.hides(stolenToken) {
		s.Errorf("Check permits it, and the request has a member twice: a server may read either")
	}
	if path == "" {
		return
	}
	if !reflect.DeepEqual(got.values[path], plain.values[path]) {
		s.Errorf("Check permits it, and it replaces %s", path)
	}
	for other := range got.values {
		if other != path && strings.EqualFold(other, path) {
			s.Errorf("Check permits it, and it adds %s next to %s: a lenient server may read either", other, path)
		}
	}
}

func (a *attack) permitted(override string) bool { return len(a.spec.Check(a.with(override))) == 0 }

func (a *attack) with(override string) *push.Message {
	m := *a.message
	m.Overrides = map[string]json.RawMessage{a.spec.Name: json.RawMessage(override)}
	return &m
}

// keyPaths returns the paths of the fields that the vendor de-duplicates by.
func (a *attack) keyPaths(m made) []string {
	var paths []string
	for path := range m.values {
		name := path[strings.LastIndex(path, "/")+1:]
		if slices.Contains(a.spec.KeyFields, name) {
			paths = append(paths, path)
		}
	}
	return paths
}

// make returns the request that the adapter makes.
func (a *attack) make(override json.RawMessage, key, access string) made {
	a.Helper()
	r := a.request()
	r.Message, r.Tokens, r.Key, r.Access, r.UploadID = a.message, a.tokens, key, access, ""
	if override != nil {
		r.Message = a.with(string(override))
	}
	if a.uploading {
		_, _ = a.vendor.(vendors.Uploader).Upload(a.Context(), r) // the answer does not matter
	} else if _, err := a.vendor.Send(a.Context(), a.ready(r)); err != nil {
		a.Fatalf("%v", err)
	}
	request, body := a.received()
	m := made{headers: request.Header.Clone(), target: request.URL.RequestURI(), values: map[string]any{}, text: string(body)}
	if text, err := url.QueryUnescape(m.text); err == nil {
		m.text = text
	}
	m.headers.Del("Content-Length")
	collect(m.values, "", tree(request.Header.Get("Content-Type"), body))
	return m
}

// tree decodes a body: JSON, or a form whose values may be JSON.
func tree(contentType string, body []byte) any {
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return string(body)
		}
		object := map[string]any{}
		for name, values := range form {
			if len(values) == 1 {
				object[name] = nested(values[0])
				continue
			}
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = nested(v)
			}
			object[name] = list
		}
		return object
	}
	return nested(string(body))
}

// nested decodes a text that is a JSON object or array.
func nested(text string) any {
	var v any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	return text
}

// collect lists the leaves of a document by their paths. All leaves of an array
// have one path, and their values are joined.
func collect(into map[string]any, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			collect(into, strings.TrimPrefix(path+"/"+k, "/"), v[k])
		}
	case []any:
		for _, e := range v {
			collect(into, path, e)
		}
	case string:
		if n := nested(v); !reflect.DeepEqual(n, v) {
			collect(into, path, n)
			return
		}
		into[path] = strings.TrimPrefix(fmt.Sprint(into[path], "\n", v), "<nil>\n")
	default:
		into[path] = strings.TrimPrefix(fmt.Sprint(into[path], "\n", v), "<nil>\n")
	}
}

// changed returns the paths whose values differ between the requests one and two.
// It leaves out values that differ even between equal calls (one and again).
func changed(one, two, again made) map[string]bool {
	paths := map[string]bool{}
	for path, v := range one.values {
		if !reflect.DeepEqual(v, two.values[path]) && reflect.DeepEqual(v, again.values[path]) {
			paths[path] = true
		}
	}
	return paths
}

// overridesFor returns overrides that might change a value: at each level of its
// path, with names in each case, and with a text, a list, a number or null.
func overridesFor(path string) []string {
	var all []string
	parts := strings.Split(path, "/")
	for from := range parts {
		for _, spelling := range []func(string) string{strings.Clone, strings.ToUpper, strings.ToLower, strings.Title} { //nolint:staticcheck // ASCII names
			names := make([]string, len(parts)-from)
			for i, name := range parts[from:] {
				names[i] = spelling(name)
			}
			for _, value := range []string{`"` + stolenToken + `"`, `["` + stolenToken + `"]`, `7`, `null`} {
				for to := len(names); to > 0; to-- {
					if to < len(names) && value != "null" {
						break // a parent is only removed
					}
					all = append(all, wrap(names[:to], value))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func wrap(names []string, value string) string {
	for _, name := range slices.Backward(names) {
		quoted, _ := json.Marshal(name) // a string always encodes
		value = "{" + string(quoted) + ":" + value + "}"
	}
	return value
}
