package vendortest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// requestsArePinned compares requests with golden files. When a golden file changes,
// compare it with the vendor's document.
func requestsArePinned(s *suite) {
	for _, name := range s.names("requests", ".json") {
		if strings.HasSuffix(name, ".settings") {
			continue
		}
		s := s.about("requests/%s", name)
		b := s.benchFor("requests/" + name)
		b.succeed()
		r := b.request()
		r.Message = s.message("requests/" + name + ".json")
		r.TTL = ttlOf(r.Message)
		if strings.HasPrefix(name, "receipt") {
			r.ReceiptURL = "https://push.example.com/receipts/shop/" + s.spec.Name + "/receipt-secret"
		}
		r.UploadID = ""
		if _, err := b.vendor.Send(s.Context(), b.ready(r)); err != nil {
			s.Fatalf("%v", err)
		}
		b.goldenRequest("requests/" + name + ".golden")
	}
}

func ttlOf(m *push.Message) time.Duration {
	if m.TTL == 0 {
		return push.DefaultTTL
	}
	return time.Duration(m.TTL)
}

// goldenRequest compares the last request with a file: the request line, the headers
// that the adapter sets, and the body.
func (b *bench) goldenRequest(name string) {
	b.Helper()
	r, body := b.received()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, key := range ownHeaders(r.Header) {
		fmt.Fprintf(&text, "%s: %s\n", key, strings.Join(r.Header[key], ", "))
	}
	fmt.Fprintf(&text, "\n%s\n", body)
	b.golden(name, text.String())
}

func ownHeaders(h http.Header) []string {
	var keys []string
	for key := range h {
		switch key {
		case "Accept-Encoding", "Content-Length", "User-Agent":
		default:
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func fullBatches(s *suite) {
	b := s.bench()
	b.succeed()
	r := b.request()
	r.Tokens = make([]string, s.spec.Batch)
	for i := range r.Tokens {
		r.Tokens[i] = fmt.Sprintf("distinct-token-%06d", i)
	}
	before := slices.Clone(r.Tokens)
	b.once("Send with a full batch", func() {
		answer, err := b.vendor.Send(s.Context(), b.ready(r))
		if n := s.accepted(answer, err, s.spec.Batch); n != s.spec.Batch {
			s.Errorf("%d of %d tokens are accepted (%v)", n, s.spec.Batch, err)
		}
	})
	_, body := b.received()
	for _, token := range before {
		if n := strings.Count(string(body), token); n != 1 {
			s.Fatalf("the request has %s %d times, want once", token, n)
		}
	}
	if !slices.Equal(before, r.Tokens) {
		s.Errorf("Send changed the tokens of its request")
	}
}

// keys sends with a hundred keys. A vendor identifies a message by the value that
// its adapter derives from the key: the same key must give the same request, and
// two keys different ones.
func keys(s *suite) {
	const count = 100
	for name, m := range map[string]*push.Message{
		"a notification": {Title: "title", Body: "body"},
		"marketing":      {Title: "title", Body: "body", Class: push.Marketing},
		"data":           {Kind: push.Data, Data: map[string]string{"order": "42"}},
	} {
		if len(s.spec.Check(m)) > 0 || s.unkeyed(m) {
			continue
		}
		for _, tokens := range [][]string{{"distinct-token-1"}, {"distinct-token-1", "distinct-token-2"}} {
			if len(tokens) > s.spec.Batch {
				continue
			}
			s := s.about("%s to %d tokens", name, len(tokens))
			b := s.bench()
			b.succeed()
			seen := map[string]string{}
			for i := range count {
				key := fmt.Sprintf("%032x", i)
				body := b.identified(m, tokens, key)
				if other := seen[body]; other != "" {
					s.Fatalf("the keys %s and %s are one message", other, key)
				}
				seen[body] = key
				if i == 0 && b.identified(m, tokens, key) != body {
					s.Fatalf("the same key gives another request when it is sent again")
				}
			}
		}
	}
}

// unkeyed reports whether the vendor has no idempotency key for messages of this kind.
func (s *suite) unkeyed(m *push.Message) bool {
	if !s.has("unkeyed.txt") {
		return false
	}
	kind := m.Kind
	if kind == "" {
		kind = push.Notification
	}
	return slices.Contains(s.lines("unkeyed.txt"), string(kind))
}

// identified returns the body of the request that carries the idempotency key: the
// upload if the message is uploaded, else the send.
func (b *bench) identified(m *push.Message, tokens []string, key string) string {
	b.Helper()
	r := b.request()
	r.Message, r.Tokens, r.Key, r.UploadID = m, tokens, key, ""
	if u, ok := b.vendor.(vendors.Uploader); ok && u.NeedsUpload(r) {
		_, _ = u.Upload(b.Context(), r) // the answer does not matter
	} else if _, err := b.vendor.Send(b.Context(), r); err != nil {
		b.Fatalf("%v", err)
	}
	_, body := b.received()
	return string(body)
}

// limitsAreEnforced tries messages at the declared limits and one above them.
func limitsAreEnforced(s *suite) {
	for _, l := range s.spec.Limits {
		s := s.about("%s, %d %s", l.Field, l.Max, l.Unit)
		at := s.grown(l, l.Max)
		if faults := s.spec.Check(at); len(faults) > 0 {
			s.Errorf("Check refuses a message at the limit: %v", faults)
		}
		if faults := s.spec.Check(s.grown(l, l.Max+1)); len(faults) == 0 {
			s.Errorf("Check accepts a message that is one over the limit")
		}
		if l.Size != nil {
			s.sizeIsSent(at, l)
		}
	}
}

// grown returns a message of the given size.
func (s *suite) grown(l vendors.Limit, size int) *push.Message {
	s.Helper()
	m := &push.Message{Title: "t", Body: "b"}
	have := 1
	if l.Size != nil {
		var err error
		if have, err = l.Size(m); err != nil || have > size {
			s.Fatalf("the size of the shortest message is %d (%v)", have, err)
		}
	}
	fill := strings.Repeat("x", size-have)
	switch l.Field {
	case "message.title":
		m.Title += fill
	case "message.body":
		m.Body += fill
	default:
		s.Fatalf("the suite cannot grow this field: name message.title or message.body")
	}
	if l.Size != nil {
		if n, err := l.Size(m); err != nil || n != size {
			s.Errorf("the size does not grow by one with each character: got %d (%v), want %d", n, err, size)
		}
	}
	return m
}

// sizeIsSent compares Size with the size of the request. They may differ by the JSON
// around the message and by the length of numbers, at most slack bytes.
func (s *suite) sizeIsSent(m *push.Message, l vendors.Limit) {
	s.Helper()
	const slack = 512
	b := s.bench()
	b.succeed()
	r := b.request()
	r.Message, r.Tokens = m, b.tokens[:1]
	if _, err := b.vendor.Send(s.Context(), b.ready(r)); err != nil {
		s.Fatalf("%v", err)
	}
	_, body := b.received()
	if n := len(body) - len(r.Tokens[0]); n < l.Max-slack || n > l.Max+slack {
		s.Errorf("the size is %d, but the request has %d bytes", l.Max, n)
	}
}
