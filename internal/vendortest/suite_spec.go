package vendortest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)

func specIsComplete(s *suite) {
	units := []vendors.Unit{vendors.Tokens, vendors.Requests, vendors.Messages}
	for what, ok := range map[string]bool{
		"Name is lower-case letters and digits, at most 16": nameForm.MatchString(s.spec.Name),
		"Title":                        s.spec.Title != "",
		"Batch is at least 1":          s.spec.Batch >= 1,
		"MinBatch is at most Batch":    s.spec.MinBatch >= 0 && s.spec.MinBatch <= s.spec.Batch,
		"TestBatch is at most Batch":   s.spec.TestBatch >= 0 && s.spec.TestBatch <= s.spec.Batch,
		"MaxMixed is not negative":     s.spec.MaxMixed >= 0,
		"Rate is over 0":               s.spec.Rate > 0,
		"Unit is one of the units":     slices.Contains(units, s.spec.Unit),
		"Codes":                        s.spec.Codes != nil,
		"Check":                        s.spec.Check != nil,
		"Limits has at least one":      len(s.spec.Limits) > 0,
		"Settings":                     s.spec.Settings != nil,
		"Receipts has Read":            s.spec.Receipts == nil || s.spec.Receipts.Read != nil,
		"Demo has %BASE%":              strings.Contains(s.spec.Demo, "%BASE%"),
		"Example begins with the name": strings.HasPrefix(strings.TrimLeft(s.spec.Example, "# "), s.spec.Name+":") || strings.Contains(s.spec.Example, "\n"+s.spec.Name+":") || strings.Contains(s.spec.Example, "#"+s.spec.Name+":"),
	} {
		if !ok {
			s.Errorf("the spec of %q is not complete: %s", s.spec.Name, what)
		}
	}
	b := s.bench()
	if _, ok := b.vendor.(vendors.MixedSender); ok != (s.spec.MaxMixed > 0) {
		s.Errorf("the adapter is a MixedSender: %v, but MaxMixed is %d", ok, s.spec.MaxMixed)
	}
	s.demoIsValid()
}

// demoIsValid decodes the demo's settings in the same way as the configuration.
func (s *suite) demoIsValid() {
	settings := s.spec.Settings()
	text := strings.ReplaceAll(s.spec.Demo, "%BASE%", "http://127.0.0.1:1")
	if err := yaml.NewDecoder(strings.NewReader(text)).Decode(settings); err != nil {
		s.Errorf("Demo is not YAML: %v", err)
		return
	}
	if faults := settings.Faults(); len(faults) > 0 {
		s.Errorf("Demo has faults: %v", faults)
	}
}

// specIsPinned compares the numbers that come from the vendor's documents.
func specIsPinned(s *suite) {
	var text strings.Builder
	fmt.Fprintf(&text, "name %s\ntitle %s\nbatch %d\nmin batch %d\ntest batch %d\nmax mixed %d\nrate %g %s\n",
		s.spec.Name, s.spec.Title, s.spec.Batch, s.spec.MinBatch, s.spec.TestBatch, s.spec.MaxMixed, s.spec.Rate, s.spec.Unit)
	for _, l := range s.spec.Limits {
		fmt.Fprintf(&text, "limit %s %d %s\n", l.Field, l.Max, l.Unit)
	}
	for _, k := range s.spec.KeyFields {
		fmt.Fprintf(&text, "key field %s\n", k)
	}
	for _, q := range s.spec.Quotas {
		fmt.Fprintf(&text, "quota %s\n", q.Bucket)
	}
	if r := s.spec.Receipts; r != nil {
		fmt.Fprintf(&text, "receipts signed %t, name an account %t, address up to %d bytes\n", r.Verify != nil, r.Ours != nil, r.LongestURL)
	}
	s.golden("spec.golden", text.String())
}

func fieldsAreMapped(s *suite) {
	var got, want []string
	for _, m := range s.spec.Mapping {
		got = append(got, m.Field)
		if m.To == "" {
			s.Errorf("%s has no mapping; write - if the vendor has no such field", m.Field)
		}
	}
	for field := range reflect.TypeFor[push.Message]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "overrides" {
			name += "." + s.spec.Name
		}
		want = append(want, "message."+name)
	}
	if !slices.Equal(got, want) {
		s.Errorf("got a mapping of %v, want one of %v in this order", got, want)
	}
}

// secretsAreSilent prints settings and adapters in every way in which a careless
// log line might print them.
func secretsAreSilent(s *suite) {
	b := s.bench()
	if len(b.secrets) == 0 {
		s.Fatalf("the settings have no vendors.Secret")
	}
	values := []any{b.settings, b.vendor}
	for _, v := range values[:2] {
		if e := reflect.ValueOf(v); e.Kind() == reflect.Pointer {
			values = append(values, e.Elem().Interface(), struct{ unexported any }{e.Elem().Interface()})
		}
	}
	values = append(values, []any{b.vendor, b.settings}, map[string]any{"v": values[2]})
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%c"} {
			b.clean(fmt.Sprintf(verb, v))
		}
	}
	for _, encode := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := encode(b.settings)
		if err != nil {
			s.Fatalf("%v", err)
		}
		b.clean(string(text))
	}
}

func emptySettings(s *suite) {
	faults := s.spec.Settings().Faults()
	if len(faults) == 0 {
		s.Errorf("empty settings have no fault")
	}
	keys := yamlKeys(s.spec.Settings())
	for _, f := range faults {
		if !slices.Contains(keys, f.Field) {
			s.Errorf("the fault %q names no key of the settings %v", f.Error(), keys)
		}
	}
}

func yamlKeys(settings vendors.Settings) []string {
	var keys []string
	for field := range reflect.TypeOf(settings).Elem().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return keys
}

func plainHTTP(s *suite) {
	v := reflect.ValueOf(s.bench().settings).Elem()
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
				s.Errorf("%s %q is accepted", key, address)
			}
		}
		v.Field(i).SetString(old)
	}
}
