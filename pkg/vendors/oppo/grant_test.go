package oppo

import (
	"errors"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func TestSignIsSHA256OfKeyTimeAndMasterSecret(t *testing.T) {
	t.Parallel()
	got := sign("ak-demo", "1700000000000", "ms-demo")
	if want := "3ab85c42af2b8e8efd006912d32dbb7cfac32913649b249a0618c0fbf105974d"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzReadGrant(f *testing.F) {
	for _, seed := range []string{
		`{"code":0,"message":"success","data":{"auth_token":"58ad47319e8d725350a5afd5","create_time":1700000000000}}`,
		`{"code":16,"message":"Invalid Signature"}`, `{"code":0,"data":null}`, `{"code":0,"data":[]}`, `<html>`, ``, `null`, `"{}"`,
	} {
		f.Add(200, []byte(seed))
		f.Add(500, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		reply := httpx.Reply{Status: status, Body: body}
		g, err := readGrant(reply, "the-secret")
		s, saveErr := readUploaded(reply, "the-secret")
		for _, err := range []error{err, saveErr} {
			var e *vendors.Error
			if err != nil && (!errors.As(err, &e) || e.Code.Code == "" || strings.Contains(err.Error(), "the-secret")) {
				t.Errorf("got %v, want a *vendors.Error with a code and without the secret", err)
			}
		}
		if (err == nil) != (g.Access != "" && g.Lifetime == lifetime) || (saveErr == nil) != (s.ID != "" && s.Lifetime == uploadLifetime) {
			t.Errorf("got grant %+v (%v), saved %+v (%v)", g, err, s, saveErr)
		}
	})
}
