package registry_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors"
)

const signedGolden = "auth/signed.golden"

// signs tells whether a vendor's access tokens are signed by the adapter itself.
func signs(spec vendors.Spec) bool {
	_, err := os.Stat(testdata(spec, signedGolden))
	return err == nil
}

// A vendor that signs is a Granter without a token endpoint: its Grant makes no
// request. Whether the signature is right is for the vendor's own tests.
func TestSignedAccessTokensSayWhatTheyShould(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		if !signs(spec) {
			return
		}
		b := newBench(t, spec)
		granter, ok := b.vendor.(vendors.Granter)
		if !ok {
			t.Fatalf("%s stands in testdata, and the adapter is no Granter", signedGolden)
		}
		grant, err := granter.Grant(t.Context(), b.request().Now)
		if err != nil {
			t.Fatal(err)
		}
		if n := b.requests.Load(); n != 0 {
			t.Errorf("Grant made %d requests, want none", n)
		}
		b.clean(t, grant.Access)
		got := decoded(t, grant.Access) + fmt.Sprintf("lifetime %d\n", int(grant.Lifetime.Seconds()))
		if *update {
			if err := os.WriteFile(testdata(spec, signedGolden), []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want := read(t, spec, signedGolden); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// decoded returns a JWT's header and claims, one a line, or else what is in a
// UserSig of Tencent's, its signature included.
func decoded(t *testing.T, access string) string {
	t.Helper()
	parts := strings.Split(access, ".")
	if len(parts) == 1 {
		return unpacked(t, access)
	}
	if len(parts) != 3 || parts[2] == "" {
		t.Fatalf("the access token has %d parts, want the 3 of a signed JWT", len(parts))
	}
	var s strings.Builder
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || !json.Valid(text) {
			t.Fatalf("a part of the access token is not JSON in base64url without padding (%v)", err)
		}
		fmt.Fprintf(&s, "%s\n", text)
	}
	return s.String()
}

// unpacked returns the document in a UserSig: compressed, in a base64 whose
// signs can stand in a URL.
func unpacked(t *testing.T, access string) string {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(access))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !json.Valid(text) {
		t.Fatalf("the UserSig holds no JSON (%v)", err)
	}
	return string(text) + "\n"
}
