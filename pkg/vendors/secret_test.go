package vendors_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/pkg/vendors"
)

const hidden = "the-secret-of-this-test"

type exported struct {
	Name string         `yaml:"name"`
	Key  vendors.Secret `yaml:"key"`
}

type unexported struct {
	name string
	key  vendors.Secret
	in   exported
	list []vendors.Secret
	any  any
}

func TestASecretNeverPrints(t *testing.T) {
	t.Parallel()
	s := vendors.NewSecret(hidden)
	u := unexported{"n", s, exported{"n", s}, []vendors.Secret{s}, exported{"n", s}}
	values := map[string]any{
		"itself": s, "a pointer": &s, "a field": exported{"n", s}, "a pointer to a struct": &exported{"n", s},
		"an unexported field": u, "a pointer to unexported fields": &u,
		"in a slice": []any{s, u, &u}, "in a map": map[string]any{"s": s, "u": u}, "as a key": map[string]unexported{"k": u},
		"in an array": [1]unexported{u}, "in an unexported interface": struct{ v any }{u}, "in an error": fmt.Errorf("%v %w", u, errors.New("x")),
		"in a function's struct": struct {
			f func()
			s vendors.Secret
		}{nil, s},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, flags := range []string{"", "+", "#", " ", "0", "-9", "+#", "9.3", "# "} {
				for verb := 'A'; verb <= 'z'; verb++ {
					silent(t, fmt.Sprintf("%"+flags+string(verb), v))
				}
			}
			silent(t, fmt.Sprint(v), fmt.Sprintln(v))
			var b strings.Builder
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
			silent(t, b.String())
		})
	}
}

func TestASecretIsNotEncoded(t *testing.T) {
	t.Parallel()
	v := exported{"n", vendors.NewSecret(hidden)}
	for name, encode := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
		text, err := encode(v)
		if err != nil || !strings.Contains(string(text), "secret") {
			t.Errorf("%s: got %s (%v), want a placeholder", name, text, err)
		}
		silent(t, string(text))
	}
}

func TestASecretIsDecodedAndRevealed(t *testing.T) {
	t.Parallel()
	var fromYAML, fromJSON exported
	if err := yaml.Unmarshal([]byte("key: "+hidden), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"Key":"`+hidden+`"}`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	for _, got := range []vendors.Secret{fromYAML.Key, fromJSON.Key, vendors.NewSecret(hidden)} {
		if got.Reveal() != hidden || got.Empty() || got.String() != "<secret>" {
			t.Errorf("got %d bytes, empty %v, printed as %s", len(got.Reveal()), got.Empty(), got)
		}
	}
	for _, empty := range []vendors.Secret{{}, vendors.NewSecret("")} {
		if !empty.Empty() || empty.Reveal() != "" || fmt.Sprint(empty) != "" {
			t.Errorf("the empty secret is not empty: %q", empty.Reveal())
		}
	}
}

// silent fails the test if one of the texts contains the secret, plain or in hex.
func silent(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, form := range []string{hidden, hex.EncodeToString([]byte(hidden)), strings.ToUpper(hex.EncodeToString([]byte(hidden))), hidden[:6]} {
			if strings.Contains(text, form) {
				t.Fatalf("the secret is in %q", text)
			}
		}
	}
}
