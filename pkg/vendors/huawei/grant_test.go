package huawei

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

func TestReadGrantBoundsTheLifetime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		expires string
		want    time.Duration // 0: refused
	}{
		"an hour":                       {"3600", time.Hour},
		"a string":                      {`"60"`, time.Minute},
		"longer than a day":             {"9000000000", 24 * time.Hour},
		"more than a duration can hold": {"99999999999999999999", 0},
		"negative":                      {"-1", 0},
		"a fraction":                    {"3600.5", 0},
		"null":                          {"null", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readGrant(vendors.Reply{Status: 200, Body: []byte(`{"access_token":"a","expires_in":` + tt.expires + `}`)}, "secret")
			if got.Lifetime != tt.want || (err != nil) != (tt.want == 0) {
				t.Errorf("got %v (%v), want %v", got.Lifetime, err, tt.want)
			}
		})
	}
}

func TestReadGrantErrorWinsOverAToken(t *testing.T) {
	t.Parallel()
	_, err := readGrant(vendors.Reply{Status: 200, Body: []byte(`{"access_token":"a","expires_in":3600,"error":1101,"sub_error":12304}`)}, "secret")
	var e *vendors.Error
	if !errors.As(err, &e) || e.Code.String() != "auth/1101" {
		t.Errorf("got %v, want auth/1101", err)
	}
}

func FuzzReadGrant(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"CV0kkX7yVJZcTi1i+uk\/Mw","expires_in":3600,"token_type":"Bearer"}`,
		`{"sub_error":12304,"error_description":"invalid client_secret","error":1101}`,
		`{"sub_error":57303,"error_description":"appid is overload blocked","error":1302}`,
		`{"error":"invalid_client"}`, `<html>`, ``, `null`,
	} {
		f.Add(200, []byte(seed))
		f.Add(400, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, answer []byte) {
		g, err := readGrant(vendors.Reply{Status: status, Body: answer}, "the-secret")
		if err != nil {
			var e *vendors.Error
			if !errors.As(err, &e) || e.Code.Code == "" || strings.Contains(err.Error(), "the-secret") {
				t.Errorf("got %v, want a *vendors.Error with a code and without the secret", err)
			}
			return
		}
		if !body.Printable(g.Access) || g.Lifetime <= 0 || g.Lifetime > maxLifetime || status/100 != 2 {
			t.Errorf("granted %q for %v under HTTP %d", g.Access, g.Lifetime, status)
		}
	})
}
