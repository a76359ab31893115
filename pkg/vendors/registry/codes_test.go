package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestEveryRowSaysWhatItMeansAndWhoSaidSo(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		for _, row := range spec.Codes.Explain("") {
			standard := row.Source == "postrider" || strings.HasPrefix(row.Source, "RFC ")
			if row.Meaning == "" || !standard && !strings.HasPrefix(row.Source, "https://") {
				t.Errorf("%s: meaning %q, source %q; want a meaning and the vendor's document", row.Key(), row.Meaning, row.Source)
			}
			if row.Vendor != spec.Name {
				t.Errorf("%s: the row's vendor is not %s", row.Key(), spec.Name)
			}
			if err := row.Check(); err != nil {
				t.Errorf("%s: %v", row.Key(), err)
			}
		}
	})
}

func TestEverySeedCodeIsClassified(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/seed-codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			t.Fatalf("the seed line %q has %d columns, want 4", line, len(f))
		}
		spec, ok := registry.Find(f[0])
		if !ok {
			continue // a vendor that is not built yet
		}
		checked[f[0]]++
		if row, known := spec.Codes.Lookup(classify.Level(f[1]), f[2]); !known || row.Class == "" || row.Remedy == "" {
			t.Errorf("%s/%s/%s is in no table", f[0], f[1], f[2])
		}
	}
	if checked["huawei"] != 27 {
		t.Errorf("checked %d seed codes of huawei, want 27", checked["huawei"])
	}
}

func TestEveryResponseRowCanBeAnswered(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		envelope := b.fill(read(t, spec, "envelope.txt"))
		for _, row := range rows(spec, classify.Response) {
			if strings.HasPrefix(row.Code, saveCode) {
				continue // see save_test.go
			}
			b.answer(strings.ReplaceAll(envelope, "%CODE%", row.Code))
			answer, err := b.send(t.Context(), t)
			if got, want := firstLine(describe(t, answer, err)), row.Level; got != string(want)+"/"+row.Code {
				t.Errorf("got %s, want %s/%s", got, want, row.Code)
			}
			if _, known := spec.Codes.Lookup(answer.Code.Level, answer.Code.Code); !known {
				t.Errorf("%s is not found again", answer.Code)
			}
		}
	})
}

func TestEveryTokenRowCanBeAnswered(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		var shown strings.Builder
		for _, name := range fixtures(t, spec, "answers", ".want") {
			shown.WriteString(read(t, spec, "answers/"+name+".want"))
		}
		for _, row := range rows(spec, classify.Token) {
			if strings.Contains(shown.String(), " token/"+row.Code+"\n") {
				continue
			}
			b := newBench(t, spec)
			b.answer(strings.ReplaceAll(b.fill(read(t, spec, "token-envelope.txt")), "%CODE%", row.Code))
			answer, err := b.send(t.Context(), t)
			if got, want := describe(t, answer, err), "0 token/"+row.Code+"\n"; !strings.Contains(got, want) {
				t.Errorf("got\n%swant the line %s", got, want)
			}
		}
	})
}

func TestEveryAuthRowCanBeAnswered(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		granter, ok := b.granter()
		if !ok {
			return
		}
		envelope := b.fill(read(t, spec, "auth-envelope.txt"))
		for _, row := range rows(spec, classify.Auth) {
			code, sub, pair := strings.Cut(row.Code, "/")
			if !pair {
				sub = "0"
			}
			b.answer(strings.NewReplacer("%CODE%", code, "%SUB%", sub).Replace(envelope))
			_, err := b.grant(t.Context(), t, granter)
			if got, want := describe(t, vendors.Answer{}, err), "error auth/"+row.Code+"\n"; got != want {
				t.Errorf("got %swant %s", got, want)
			}
		}
	})
}

func TestAnUnknownCodeIsNeitherSuccessNorDeletes(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		b := newBench(t, spec)
		envelope := b.fill(read(t, spec, "envelope.txt"))
		for _, code := range []string{"999999999", "1234567", "0", "-1"} {
			if _, known := spec.Codes.Lookup(classify.Response, code); known {
				continue
			}
			b.answer(strings.ReplaceAll(envelope, "%CODE%", code))
			answer, err := b.send(t.Context(), t)
			if n := accepted(spec, answer, err, len(b.tokens)); n != 0 || len(answer.Tokens) != 0 {
				t.Errorf("code %s: %d tokens accepted, %d with a code of their own; want none", code, n, len(answer.Tokens))
			}
			if row, _ := spec.Codes.Lookup(answer.Code.Level, answer.Code.Code); row.Class == classify.TokenInvalid {
				t.Errorf("code %s makes tokens invalid", code)
			}
		}
	})
}

func rows(spec vendors.Spec, level classify.Level) []classify.Row {
	var list []classify.Row
	for _, row := range spec.Codes.Explain("") {
		if row.Level == level {
			list = append(list, row)
		}
	}
	return list
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func TestEveryVendorFolderIsInTheRegistry(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../*/codes.tsv")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no codes.tsv (%v)", err)
	}
	for _, p := range paths {
		if name := filepath.Base(filepath.Dir(p)); !inRegistry(name) {
			t.Errorf("%s has a codes.tsv and no line in the registry", name)
		}
	}
}

func inRegistry(name string) bool {
	_, ok := registry.Find(name)
	return ok
}

func TestEveryUsedUpQuotaNamesABucketOfTheVendor(t *testing.T) {
	each(t, func(t *testing.T, spec vendors.Spec) {
		named := map[string]bool{}
		for _, row := range spec.Codes.Explain("") {
			named[row.Bucket] = true
			asked := row.Level == classify.Response || row.Level == classify.Auth || row.Level == classify.HTTP
			if row.Remedy == classify.WaitQuota && asked && (row.Bucket == "" || row.Window == "") {
				t.Errorf("%s says that a quota is used up, and neither which nor until when", row.Key())
			}
			if !spec.HasBucket(row.Bucket) {
				t.Errorf("%s names the bucket %q, which Quotas does not have", row.Key(), row.Bucket)
			}
		}
		for _, q := range spec.Quotas {
			if q.Meaning == "" || !named[q.Bucket] {
				t.Errorf("the quota %q has no meaning, or no row", q.Bucket)
			}
		}
	})
}
