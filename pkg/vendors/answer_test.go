package vendors_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestWordsHideTokensAndSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, said, want string }{
		{"plain words", "quota exceeded", "quota exceeded"},
		{"a token", "bad token token-1", "bad token …"},
		{"a token that begins another", "bad token-12 and token-1", "bad … and …"},
		{"a secret", "wrong secret-1", "wrong …"},
		{"a page is not words", strings.Repeat("x", 8<<10+1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := vendors.Words(tt.said, []string{"token-1", "token-12", "token-3"}, "secret-1"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNamedTokensKeepTheRequestsOrder(t *testing.T) {
	t.Parallel()
	named := map[string]string{"c": "3", "a": "1", "never sent": "9"}
	want := []vendors.TokenCode{
		{Index: 0, Code: classify.Code{Level: classify.Token, Code: "1"}},
		{Index: 2, Code: classify.Code{Level: classify.Token, Code: "3"}},
	}
	if got := vendors.NamedTokens([]string{"a", "b", "c"}, named); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := vendors.NamedTokens([]string{"a"}, map[string]string{"b": "1"}); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}
