package accesstoken

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

func TestAnEncryptedTokenIsNowhereInRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	key1, key2 := bytes.Repeat([]byte{1}, keySize), bytes.Repeat([]byte{2}, keySize)
	g := &vendorFake{}
	access(t, &Store{Redis: client, Key: key1}, g, "access-1")
	access(t, &Store{Redis: client, Key: key1}, g, "access-1")
	for _, k := range client.Keys(t.Context(), "*").Val() {
		if v := client.Get(t.Context(), k).Val(); strings.Contains(k+v, "access-1") {
			t.Errorf("%s holds the token in plain: %s", k, v)
		}
	}
	// Workers with another key neither use this token nor destroy it.
	access(t, &Store{Redis: client, Key: key2}, g, "access-2")
	access(t, &Store{Redis: client}, g, "access-3")
	access(t, &Store{Redis: client, Key: key1}, g, "access-1")
	s := &Store{Redis: client, Key: key1}
	access(t, s, g, "access-1")
	if err := s.Invalidate(t.Context(), app, vendor, "access-1"); err != nil {
		t.Fatal(err)
	}
	access(t, s, g, "access-4")
}

func TestAKeyOfTheWrongLengthIsRefused(t *testing.T) {
	t.Parallel()
	s := &Store{Redis: redistest.Client(t), Key: []byte("short")}
	if _, err := s.Access(t.Context(), app, vendor, &vendorFake{}, print1); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("got %v, want an error without the key", err)
	}
}

func TestAnUnreadableTokenCountsAsAbsent(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	client.Set(t.Context(), key().key, "from a newer version", time.Hour)
	access(t, &Store{Redis: client}, &vendorFake{}, "access-1")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	s := &Store{Key: bytes.Repeat([]byte{1}, keySize)}
	value, err := s.seal("a", token{Access: "secret", LifetimeMS: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := s.open("a", value); !ok || got.Access != "secret" {
		t.Errorf("open = %v, %v, want the token", got, ok)
	}
	for name, c := range map[string]struct{ key, value string }{
		"another app's key": {"b", value},
		"cut short":         {"a", value[:len(value)-4]},
		"plain":             {"a", `{"access":"secret","lifetime_ms":1}`},
		"empty":             {"a", ""},
	} {
		if _, ok := s.open(c.key, c.value); ok {
			t.Errorf("%s: was read", name)
		}
	}
}

func FuzzToken(f *testing.F) {
	sealer := &Store{Key: bytes.Repeat([]byte{1}, keySize)}
	box, _ := sealer.seal("k", token{Access: "a", LifetimeMS: 1})
	f.Add(box)
	f.Add(`{"access":"a","lifetime_ms":3600000}`)
	f.Add(`{"access":"a","lifetime_ms":9223372036854775807}`)
	f.Add(`{"access":"","lifetime_ms":-1}`)
	f.Fuzz(func(t *testing.T, value string) {
		for _, s := range []*Store{{}, sealer} {
			got, ok := s.open("k", value)
			if ok && (got.Access == "" || got.LifetimeMS <= 0) {
				t.Fatalf("%q reads as %v", value, got)
			}
			if ok {
				s.slot("a", "v", "").learn(got, time.Now(), time.Hour)
			}
		}
	})
}
