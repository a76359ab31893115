package vendortest

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/postrider/postrider/pkg/vendors"
)

const signedGolden = "auth/signed.golden"

// signs reports whether the adapter signs its access tokens itself: it is a
// Granter without a token endpoint.
func (s *suite) signs() bool { return s.has(signedGolden) }

func grants(s *suite) {
	if _, ok := s.bench().granter(); !ok {
		return
	}
	for _, name := range s.names("auth", ".http") {
		s := s.about("auth/%s", name)
		b := s.bench()
		b.answer(b.fill(s.read("auth/" + name + ".http")))
		grant, err := b.grant(s.Context(), b.vendor.(vendors.Granter))
		got := fmt.Sprintf("grant %s %d\n", grant.Access, int(grant.Lifetime.Seconds()))
		if err != nil {
			got = s.describe(vendors.Answer{}, err)
		}
		s.golden("auth/"+name+".want", got)
	}
}

func grantRequest(s *suite) {
	b := s.bench()
	granter, ok := b.granter()
	if !ok {
		return
	}
	b.answer(b.fill(s.read("auth/granted.http")))
	if _, err := b.grant(s.Context(), granter); err != nil {
		s.Fatalf("%v", err)
	}
	b.goldenRequest("auth/request.golden")
}

// concurrentGrants checks what package accesstoken relies on to make one request
// for many callers: a call of Grant is one request, and Send never asks for an
// access token.
func concurrentGrants(s *suite) {
	b := s.bench()
	granter, ok := b.vendor.(vendors.Granter)
	if !ok {
		return
	}
	const calls = 8
	want := int64(calls)
	if s.signs() {
		want = 0
		b.succeed()
	} else {
		b.answer(b.fill(s.read("auth/granted.http")))
	}
	s.atOnce(calls, func() error {
		grant, err := granter.Grant(context.WithoutCancel(s.Context()), testNow())
		if err == nil && (grant.Access == "" || grant.Lifetime <= 0) {
			return fmt.Errorf("a grant with %d bytes for %v", len(grant.Access), grant.Lifetime)
		}
		return err
	})
	if n := b.requests.Load(); n != want {
		s.Errorf("%d calls of Grant made %d requests, want %d", calls, n, want)
	}
}

// signedTokens compares the content of a signed access token. The vendor's own
// tests verify its signature.
func signedTokens(s *suite) {
	if !s.signs() {
		return
	}
	b := s.bench()
	granter, ok := b.vendor.(vendors.Granter)
	if !ok {
		s.Fatalf("there is a %s, but the adapter is not a Granter", signedGolden)
	}
	grant, err := granter.Grant(s.Context(), testNow())
	if err != nil {
		s.Fatalf("%v", err)
	}
	if n := b.requests.Load(); n != 0 {
		s.Errorf("Grant made %d requests, want none", n)
	}
	b.clean(grant.Access)
	s.golden(signedGolden, s.decoded(grant.Access)+fmt.Sprintf("lifetime %d\n", int(grant.Lifetime.Seconds())))
}

// decoded returns a JWT's header and claims, one per line, or the content of
// Tencent's UserSig with its signature.
func (s *suite) decoded(access string) string {
	s.Helper()
	parts := strings.Split(access, ".")
	if len(parts) == 1 {
		return s.unpacked(access)
	}
	if len(parts) != 3 || parts[2] == "" {
		s.Fatalf("the access token has %d parts, want the 3 of a signed JWT", len(parts))
	}
	var text strings.Builder
	for _, part := range parts[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || !json.Valid(raw) {
			s.Fatalf("a part of the access token is not JSON in base64url without padding (%v)", err)
		}
		fmt.Fprintf(&text, "%s\n", raw)
	}
	return text.String()
}

// unpacked returns the JSON document in a UserSig, which is compressed and encoded
// in a base64 variant that is safe in a URL.
func (s *suite) unpacked(access string) string {
	s.Helper()
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(access))
	if err != nil {
		s.Fatalf("%v", err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		s.Fatalf("%v", err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !json.Valid(text) {
		s.Fatalf("the UserSig does not contain JSON (%v)", err)
	}
	return string(text) + "\n"
}
