package vendortest

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func rowsAreComplete(s *suite) {
	for _, row := range s.spec.Codes.Explain("") {
		standard := row.Source == "postrider" || strings.HasPrefix(row.Source, "RFC ")
		if row.Meaning == "" || !standard && !strings.HasPrefix(row.Source, "https://") {
			s.Errorf("%s: meaning %q, source %q; want a meaning and the vendor's document", row.Key(), row.Meaning, row.Source)
		}
		if row.Vendor != s.spec.Name {
			s.Errorf("%s: the row's vendor is not %s", row.Key(), s.spec.Name)
		}
		if err := row.Check(); err != nil {
			s.Errorf("%s: %v", row.Key(), err)
		}
	}
}

// codesArePinned compares every column that a decision depends on. It finds changed
// and lost rows.
func codesArePinned(s *suite) {
	var text strings.Builder
	text.WriteString("level/code\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\n")
	for _, r := range s.spec.Codes.Explain("") {
		fmt.Fprintf(&text, "%s/%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Level, r.Code, r.Class, r.Remedy, r.Scope, r.Tries, r.Action, r.Bucket, r.Window)
	}
	s.golden("codes.golden", text.String())
}

func seedsAreKnown(s *suite) {
	if !s.has("seed-codes.tsv") {
		return
	}
	for _, line := range s.lines("seed-codes.tsv")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			s.Fatalf("the line %q of seed-codes.tsv has %d columns, want 3: level, code, meaning", line, len(f))
		}
		if row, known := s.spec.Codes.Lookup(classify.Level(f[0]), f[1]); !known || row.Class == "" || row.Remedy == "" {
			s.Errorf("%s/%s is not in the table", f[0], f[1])
		}
	}
}

func quotasHaveBuckets(s *suite) {
	named := map[string]bool{}
	for _, row := range s.spec.Codes.Explain("") {
		named[row.Bucket] = true
		asked := row.Level == classify.Response || row.Level == classify.Auth || row.Level == classify.HTTP
		if row.Remedy == classify.WaitQuota && asked && (row.Bucket == "" || row.Window == "") {
			s.Errorf("%s says that a quota is used up, but not which one or until when", row.Key())
		}
		if !s.spec.HasBucket(row.Bucket) {
			s.Errorf("%s names the bucket %q, which Quotas does not have", row.Key(), row.Bucket)
		}
	}
	for _, q := range s.spec.Quotas {
		if q.Meaning == "" || !named[q.Bucket] {
			s.Errorf("the quota %q has no meaning, or no row names it", q.Bucket)
		}
	}
}

// rows returns the table's rows with a level.
func (s *suite) rows(level classify.Level) []classify.Row {
	var list []classify.Row
	for _, row := range s.spec.Codes.Explain("") {
		if row.Level == level {
			list = append(list, row)
		}
	}
	return list
}

func responseRows(s *suite) {
	b := s.bench()
	envelope := b.fill(s.read("envelope.txt"))
	for _, row := range s.rows(classify.Response) {
		if strings.HasPrefix(row.Code, vendors.UploadPrefix) {
			continue // see refusedUploads
		}
		b.answer(strings.ReplaceAll(envelope, "%CODE%", row.Code))
		answer, err := b.send(s.Context())
		got, _, _ := strings.Cut(s.describe(answer, err), "\n")
		if want := string(row.Level) + "/" + row.Code; got != want {
			s.Errorf("got %s, want %s", got, want)
		}
	}
}

func tokenRows(s *suite) {
	var shown strings.Builder
	for _, name := range s.names("answers", ".http") {
		b := s.benchFor("answers/" + name)
		b.answer(b.fill(s.read("answers/" + name + ".http")))
		answer, err := b.send(s.Context())
		shown.WriteString(s.describe(answer, err))
	}
	for _, row := range s.rows(classify.Token) {
		if strings.Contains(shown.String(), " token/"+row.Code+"\n") {
			continue
		}
		b := s.bench()
		b.answer(strings.ReplaceAll(b.fill(s.read("token-envelope.txt")), "%CODE%", row.Code))
		answer, err := b.send(s.Context())
		if got, want := s.describe(answer, err), "0 token/"+row.Code+"\n"; !strings.Contains(got, want) {
			s.Errorf("got\n%swant the line %s", got, want)
		}
	}
}

func authRows(s *suite) {
	b := s.bench()
	granter, ok := b.granter()
	if !ok {
		return
	}
	envelope := b.fill(s.read("auth-envelope.txt"))
	for _, row := range s.rows(classify.Auth) {
		code, sub, pair := strings.Cut(row.Code, "/")
		if !pair {
			sub = "0"
		}
		b.answer(strings.NewReplacer("%CODE%", code, "%SUB%", sub).Replace(envelope))
		_, err := b.grant(s.Context(), granter)
		if err == nil {
			s.Errorf("the code %s grants an access token", row.Code)
			continue
		}
		if got, want := s.describe(vendors.Answer{}, err), "error auth/"+row.Code+"\n"; got != want {
			s.Errorf("got %swant %s", got, want)
		}
	}
}

func unknownCodes(s *suite) {
	b := s.bench()
	envelope := b.fill(s.read("envelope.txt"))
	for _, code := range []string{"999999999", "1234567", "0", "-1"} {
		if _, known := s.spec.Codes.Lookup(classify.Response, code); known {
			continue
		}
		b.answer(strings.ReplaceAll(envelope, "%CODE%", code))
		answer, err := b.send(s.Context())
		if n := s.accepted(answer, err, len(b.tokens)); n != 0 || len(answer.Tokens) != 0 {
			s.Errorf("code %s: %d tokens are accepted, %d have a code; want none", code, n, len(answer.Tokens))
		}
		if s.row(answer.Code).Class == classify.TokenInvalid {
			s.Errorf("code %s makes tokens invalid", code)
		}
	}
}
