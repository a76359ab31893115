package httpx_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func TestRedactAnswerHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, said, want string }{
		{"plain text", "quota exceeded", "quota exceeded"},
		{"a token", "bad token token-1", "bad token …"},
		{"a token that begins another", "bad token-12 and token-1", "bad … and …"},
		{"a secret", "wrong secret-1", "wrong …"},
		{"a page is not a message", strings.Repeat("x", 8<<10+1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := httpx.RedactAnswer(tt.said, []string{"token-1", "token-12", "token-3"}, "secret-1"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
