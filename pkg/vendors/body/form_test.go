package body_test

import (
	"net/url"
	"testing"

	"github.com/postrider/postrider/pkg/vendors/body"
)

func FuzzAppendForm(f *testing.F) {
	for _, seed := range []string{"", "plain-_.~", "a b+c/d=", "汉字🚚", "\x00\xff", "%2C,;&", "*'()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, want := string(body.AppendForm(nil, s)), url.QueryEscape(s)
		if got != want || string(body.AppendForm(nil, []byte(s))) != want {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
		if n := body.FormSize(s); n != len(want) {
			t.Errorf("the size of %q is %d, want %d", s, n, len(want))
		}
	})
}
