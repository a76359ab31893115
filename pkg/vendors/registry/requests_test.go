package registry_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// The goldens are what we send, to be compared with the vendor's document by
// eye whenever they change.
var update = flag.Bool("update", false, "write the golden requests anew")

func TestGoldenRequests(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		for _, name := range fixtures(t, spec, "requests", ".json") {
			t.Run(name, func(t *testing.T) {
				settings := "settings.yaml"
				if _, err := os.Stat(testdata(spec, "requests/"+name+".settings.yaml")); err == nil {
					settings = "requests/" + name + ".settings.yaml"
				}
				b := newBenchWith(t, spec, settings)
				b.takeTokens(t, "requests/"+name)
				b.answer(b.fill(read(t, spec, "answers/success.http")))
				r := b.request()
				r.Message = message(t, read(t, spec, "requests/"+name+".json"))
				r.TTL = time.Duration(r.Message.TTL)
				if r.TTL == 0 {
					r.TTL = push.DefaultTTL
				}
				if strings.HasPrefix(name, "receipt") {
					r.ReceiptURL = "https://push.example.com/receipts/shop/" + spec.Name + "/receipt-secret"
				}
				if faults := spec.Check(r.Message); len(faults) > 0 {
					t.Fatalf("the message has faults: %v", faults)
				}
				if _, err := b.vendor.Send(t.Context(), b.ready(r)); err != nil {
					t.Fatal(err)
				}
				golden(t, b, "requests/"+name+".golden")
			})
		}
	})
}

func TestGoldenGrantRequest(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		granter, ok := b.granter()
		if !ok {
			return
		}
		b.answer(b.fill(read(t, spec, "auth/granted.http")))
		if _, err := granter.Grant(t.Context(), b.request().Now); err != nil {
			t.Fatal(err)
		}
		golden(t, b, "auth/request.golden")
	})
}

func TestAFullBatchIsOneRequest(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		b.answer(b.fill(read(t, spec, "answers/success.http")))
		r := b.request()
		r.Tokens = make([]string, spec.Batch)
		for i := range r.Tokens {
			r.Tokens[i] = fmt.Sprintf("distinct-token-%06d", i)
		}
		before := slices.Clone(r.Tokens)
		answer, err := b.vendor.Send(t.Context(), r)
		if n := accepted(spec, answer, err, spec.Batch); n != spec.Batch {
			t.Errorf("%d of %d tokens accepted (%v)", n, spec.Batch, err)
		}
		if n := b.requests.Load(); n != 1 {
			t.Errorf("got %d requests, want 1", n)
		}
		_, body := b.received()
		for _, token := range before {
			if strings.Count(string(body), token) != 1 {
				t.Fatalf("the request has %s %d times, want once", token, strings.Count(string(body), token))
			}
		}
		if !slices.Equal(before, r.Tokens) {
			t.Error("Send changed the tokens of its request")
		}
	})
}

// golden compares the last request with a file: request line, headers that are
// ours, body.
func golden(t *testing.T, b *bench, name string) {
	t.Helper()
	r, body := b.received()
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, key := range ownHeaders(r.Header) {
		fmt.Fprintf(&s, "%s: %s\n", key, strings.Join(r.Header[key], ", "))
	}
	fmt.Fprintf(&s, "\n%s\n", body)
	path := testdata(b.spec, name)
	if *update {
		if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, b.spec, name); s.String() != want {
		t.Errorf("got\n%swant\n%s", s.String(), want)
	}
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

func message(t *testing.T, text string) *push.Message {
	t.Helper()
	m := new(push.Message)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		t.Fatalf("decode message: %v", err)
	}
	return m
}
