package vivo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// The test vector is from the document: https://dev.vivo.com.cn/documentCenter/doc/362
func TestSignIsMD5OfIDKeyTimeAndSecret(t *testing.T) {
	t.Parallel()
	got := sign("10004", "25509283-3767-4b9e-83fe-b6e55ac6243e", "1501484120000", "7265f2a4-ebbb-44bf-88b9-b03e67dfdc21")
	if want := "fe3b46a2befc60334c2388676a752bd6"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzReadGrant(f *testing.F) {
	for _, seed := range []string{
		`{"result":0,"desc":"请求成功","authToken":"24ojds98fu3jqrioeu982134jieds9fq43u09uaf"}`,
		`{"result":0,"desc":"请求成功","taskId":"5"}`, `{"result":10206,"desc":"the-secret"}`, `{"result":0}`, `Internet server error!`, ``, `null`,
	} {
		f.Add(200, []byte(seed))
		f.Add(500, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		reply := httpx.Reply{Status: status, Body: body}
		g, err := readGrant(reply, "the-secret")
		s, saveErr := readUploaded(reply, time.Hour, "the-secret")
		for _, err := range []error{err, saveErr} {
			var e *vendors.Error
			if err != nil && (!errors.As(err, &e) || e.Code.Code == "" || strings.Contains(err.Error(), "the-secret")) {
				t.Errorf("got %v, want a *vendors.Error with a code and without the secret", err)
			}
		}
		if (err == nil) != (g.Access != "" && g.Lifetime == lifetime) || (saveErr == nil) != (s.ID != "" && s.Lifetime == time.Hour) {
			t.Errorf("got grant %+v (%v), saved %+v (%v)", g, err, s, saveErr)
		}
	})
}
