package registry_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestSettingsAndAdaptersNeverPrintASecret(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		if len(b.secrets) == 0 {
			t.Fatal("the settings hold no vendors.Secret")
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			b.clean(t, fmt.Sprintf(verb, b.settings))
			b.clean(t, fmt.Sprintf(verb, reflect.ValueOf(b.settings).Elem().Interface()))
			b.clean(t, fmt.Sprintf(verb, b.vendor))
			b.clean(t, fmt.Sprintf(verb, []any{b.vendor, b.settings}))
		}
		for _, encode := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
			text, err := encode(b.settings)
			if err != nil {
				t.Fatal(err)
			}
			b.clean(t, string(text))
		}
	})
}

func TestEmptySettingsAreFaulty(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		faults := spec.Settings().Faults()
		if len(faults) == 0 {
			t.Error("empty settings have no fault")
		}
		keys := yamlKeys(spec.Settings())
		for _, f := range faults {
			if !slices.Contains(keys, f.Field) {
				t.Errorf("the fault %q names no key of the settings %v", f.Error(), keys)
			}
		}
	})
}

func TestPlainHTTPIsForLoopbackAlone(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		v := reflect.ValueOf(newBench(t, spec).settings).Elem()
		for i := range v.NumField() {
			key := v.Type().Field(i).Tag.Get("yaml")
			if !strings.HasSuffix(key, "_url") {
				continue
			}
			old := v.Field(i).String()
			for _, address := range []string{"http://push.example", "ftp://127.0.0.1", "https://user:pass@push.example"} {
				v.Field(i).SetString(address)
				faults := v.Addr().Interface().(vendors.Settings).Faults()
				if !slices.ContainsFunc(faults, func(f push.Fault) bool { return f.Field == key }) {
					t.Errorf("%s %q is accepted", key, address)
				}
			}
			v.Field(i).SetString(old)
		}
	})
}

func yamlKeys(s vendors.Settings) []string {
	var keys []string
	for field := range reflect.TypeOf(s).Elem().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return keys
}

func TestEverySpecIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, spec := range registry.All() {
		units := []vendors.Unit{vendors.Tokens, vendors.Requests, vendors.Messages}
		if spec.Name == "" || spec.Title == "" || spec.Batch < 1 || spec.Rate <= 0 || !slices.Contains(units, spec.Unit) ||
			spec.Codes == nil || spec.Check == nil || spec.Settings == nil {
			t.Errorf("the spec of %q is not whole", spec.Name)
		}
		if seen[spec.Name] {
			t.Errorf("%s stands twice in the registry", spec.Name)
		}
		seen[spec.Name] = true
	}
}

func TestEveryFieldOfAMessageIsMapped(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		var got, want []string
		for _, m := range spec.Mapping {
			got = append(got, m.Field)
			if m.To == "" {
				t.Errorf("%s goes nowhere; write - where the vendor has none", m.Field)
			}
		}
		for field := range reflect.TypeFor[push.Message]().Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "overrides" {
				name += "." + spec.Name
			}
			want = append(want, "message."+name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got mapping of %v, want %v in this order", got, want)
		}
	})
}
