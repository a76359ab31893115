package harmony

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "0123456789abcdef0123456789abcdef"

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey}
}

// settings returns the settings of the conformance suite.
func settings(t *testing.T) Settings {
	t.Helper()
	text, err := os.ReadFile("testdata/settings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var s Settings
	if err := yaml.UnmarshalWithOptions([]byte(strings.ReplaceAll(string(text), "%BASE%", "")), &s, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return s
}
