package tim

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

// The decoded UserSigs are compared, since compression may differ between libraries.
func TestUserSigOfAKnownKey(t *testing.T) {
	t.Parallel()
	a := &adapter{appID: 1400000001, identifier: "administrator", secret: vendors.NewSecret("testkey")}
	got := unpack(t, a.userSig(time.Unix(1700000000, 0), 86400*time.Second))
	want := userSig{
		Version: "2.0", Identifier: "administrator", AppID: 1400000001, Expire: 86400, Time: 1700000000,
		Sig: "f6ZjP6yeVQi/0GgNAhVim26Zm2SlTMhnpVMAXJOFiXQ=",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func unpack(t *testing.T, sig string) userSig {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(sig))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var doc userSig
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Grant must work without a network.
func TestGrantMakesNoRequest(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: refusing{t}}
	a := (&Settings{SDKAppID: 1, SecretKey: vendors.NewSecret("key")}).Open(client).(*adapter)
	now := time.Unix(1700000000, 0)
	g, err := a.Grant(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	doc := unpack(t, g.Access)
	if g.Lifetime != 24*time.Hour || doc.Time != now.Unix() || doc.Expire < int64(g.Lifetime/time.Second)+60 {
		t.Errorf("got %v and %+v, want a day, and a UserSig that is valid for longer", g.Lifetime, doc)
	}
	if again, err := a.Grant(t.Context(), now.Add(time.Second)); err != nil || again.Access == g.Access {
		t.Errorf("a second later: got the same UserSig (%v)", err)
	}
	if escaped, err := url.QueryUnescape(url.QueryEscape(g.Access)); err != nil || escaped != g.Access {
		t.Errorf("the UserSig does not survive a query (%v)", err)
	}
}

type refusing struct{ t *testing.T }

func (r refusing) RoundTrip(*http.Request) (*http.Response, error) {
	r.t.Error("a request was made")
	return nil, io.ErrClosedPipe
}
