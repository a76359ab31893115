package intake_test

import (
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push"
)

func TestTargetsReadsItsFormats(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("t", 700<<10) // over the reader's buffer, under the longest line
	for _, c := range []struct {
		name, text string
		want       []got
	}{
		{"nothing", "", nil},
		{"only blank lines", "\n \n\r\n", nil},
		{"CSV", "huawei,a\nxiaomi,b\n", []got{{1, "huawei", "a"}, {2, "xiaomi", "b"}}},
		{"CSV without a last line end", "huawei,a\nxiaomi,b", []got{{1, "huawei", "a"}, {2, "xiaomi", "b"}}},
		{"CSV with a header", "vendor,token\nhuawei,a\n", []got{{2, "huawei", "a"}}},
		{"CSV with a quoted header in capitals", "\"Vendor\",\"TOKEN\"\nhuawei,a\n", []got{{2, "huawei", "a"}}},
		{"only a header", "vendor,token", nil},
		{"a header is one at the top only", "huawei,a\nvendor,token\n", []got{{1, "huawei", "a"}, {2, "vendor", "token"}}},
		{"a header after blank lines", "\n\nvendor,token\nhuawei,a\n", []got{{4, "huawei", "a"}}},
		{"CSV with line ends of Windows", "vendor,token\r\nhuawei,a\r\nxiaomi,b\r\n", []got{{2, "huawei", "a"}, {3, "xiaomi", "b"}}},
		{"CSV with a byte order mark", "\xef\xbb\xbfvendor,token\nhuawei,a\n", []got{{2, "huawei", "a"}}},
		{"CSV put together from files with byte order marks", "\ufeffhuawei,a\n\ufeffxiaomi,b\n", []got{{1, "huawei", "a"}, {2, "xiaomi", "b"}}},
		{"CSV with blanks in its header", "vendor, token\nhuawei,a\n", []got{{2, "huawei", "a"}}},
		{"CSV with blank lines between", "huawei,a\n\n \nxiaomi,b\n", []got{{1, "huawei", "a"}, {4, "xiaomi", "b"}}},
		{"CSV with quotes", "\"huawei\",\"a\"\nhuawei,\"b\"\"c\"\n", []got{{1, "huawei", "a"}, {2, "huawei", `b"c`}}},
		{"a quoted comma stays in the token", "huawei,\"a,b\"\n", []got{{1, "huawei", "a,b"}}},
		{"what follows the first comma is the token", "huawei,a,b\n", []got{{1, "huawei", "a,b"}}},
		{"an empty token is for others to judge", "huawei,\n", []got{{1, "huawei", ""}}},
		{"blanks around a token are for others to judge", "huawei, a \n", []got{{1, "huawei", " a "}}},
		{"NDJSON", `{"vendor":"huawei","token":"a"}` + "\n" + `{"token":"b","vendor":"xiaomi"}`, []got{{1, "huawei", "a"}, {2, "xiaomi", "b"}}},
		{"NDJSON with escapes", `{"vendor":"huawei","token":"a\u0062\/\""}`, []got{{1, "huawei", `ab/"`}}},
		{"NDJSON with blanks", "\ufeff  { \"vendor\" : \"huawei\" , \"token\" : \"a\" } \r\n", []got{{1, "huawei", "a"}}},
		{"NDJSON after blank lines", "\n\r\n" + `{"vendor":"huawei","token":"a"}`, []got{{3, "huawei", "a"}}},
		{"a line longer than the buffer", "huawei,a\nhuawei," + long + "\nhuawei,b", []got{{1, "huawei", "a"}, {2, "huawei", long}, {3, "huawei", "b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for form, text := range map[string]string{"plain": c.text, "gzip": zipped(c.text)} {
				all, err := collect(text)
				if err != nil || !slices.Equal(all, c.want) {
					t.Errorf("%s: got %.200v, %v, want %.200v", form, all, err, c.want)
				}
			}
		})
	}
}

func TestTargetsNamesTheLineOfAFault(t *testing.T) {
	t.Parallel()
	const ok = "huawei,a\n"
	whole := zipped(strings.Repeat(ok, 10_000))
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"a line without a comma", ok + "huawei", 2, "line 2: is not vendor,token"},
		{"a line without a vendor", ok + "\n,b", 3, "line 3: is not vendor,token"},
		{"a quoted vendor that is empty", `"",b`, 1, "line 1: is not vendor,token"},
		{"a quote that is not closed", ok + "huawei,\"b\nhuawei,c", 2, `line 2: is not vendor,token: quotes go around a whole column, and one inside is written ""`},
		{"a quote inside", "hua\"wei,b", 1, `line 1: is not vendor,token: quotes go around a whole column, and one inside is written ""`},
		{"three quoted columns", `"huawei","a","b"`, 1, "line 1: is not vendor,token: it has 3 columns, want 2"},
		{"semicolons", "huawei;a", 1, `line 1: is not vendor,token: its columns are separated by ";", want a comma`},
		{"tabs", "huawei\ta", 1, `line 1: is not vendor,token: its columns are separated by "\t", want a comma`},
		{"a header with its columns swapped", "Token, Vendor\na,huawei", 1, "line 1: the columns are swapped: want vendor,token"},
		{"UTF-16", "\xff\xfeh\x00u\x00", 0, "is UTF-16: save it as UTF-8"},
		{"UTF-16 without a mark", "h\x00u\x00a\x00w\x00e\x00i\x00,\x00a\x00", 0, "is UTF-16: save it as UTF-8"},
		{"UTF-16 in gzip", zipped("\xfe\xff\x00h"), 0, "is UTF-16: save it as UTF-8"},
		{"GBK", "vendor,token\n\xbb\xaa\xce\xaa", 2, "line 2: is not vendor,token, it is not UTF-8, it looks like GBK: save it as UTF-8"},
		{"an Excel file", "PK\x03\x04\x14\x00\x06\x00", 0, "is a zip archive or an Excel file: unpack it, or save the sheet as CSV in UTF-8"},
		{"zstd", "\x28\xb5\x2f\xfd\x04", 0, "is compressed with zstd: want plain text or gzip"},
		{"a program", "\x7fELF\x02\x01\xff", 1, "line 1: is not vendor,token, it is not UTF-8: save it as UTF-8"},
		{"NDJSON that breaks off", `{"vendor":"huawei","token":"a"}` + "\n" + `{"vendor":"hua`, 2, `line 2: is not {"vendor":…,"token":…}`},
		{"NDJSON with another key", `{"vendor":"huawei","token":"a","x":1}`, 1, `unknown field "x"`},
		{"NDJSON with a token as key", `{"vendor":"huawei","IQAAAACy0ZxVAADqRGJ2cGZ6ZmVkZmQ=":1}`, 1, `unknown field "IQAA…Q= (32 characters)"`},
		{"NDJSON with a number as token", `{"vendor":"huawei","token":13800138000}`, 1, `line 1: is not {"vendor":…,"token":…}: token is a JSON number, want a string`},
		{"NDJSON without a token", `{"vendor":"huawei"}`, 1, "one of them is missing"},
		{"NDJSON without a vendor", `{"token":"a"}`, 1, "one of them is missing"},
		{"NDJSON with nothing as token", `{"vendor":"huawei","token":null}`, 1, "one of them is missing"},
		{"NDJSON with two objects in a line", `{"vendor":"huawei","token":"a"}{}`, 1, "something follows it"},
		{"NDJSON and then CSV", `{"vendor":"huawei","token":"a"}` + "\n" + ok, 2, "line 2: is not"},
		{"NDJSON that is not UTF-8", `{"vendor":"huawei","token":"` + "a\xff" + `"}`, 1, "it is not UTF-8: save it as UTF-8"},
		{"NDJSON in GBK", `{"vendor":"huawei","token":"` + "\xbb\xaa" + `"}`, 1, "it is not UTF-8, it looks like GBK: save it as UTF-8"},
		{"CSV and then NDJSON", ok + `{"vendor":"huawei","token":"a"}`, 2, "line 2: is not vendor,token"},
		{"a line without end", ok + strings.Repeat("x", 2<<20), 2, "line 2: is longer than 1048576 bytes"},
		{"gzip without its end", whole[:len(whole)-8], 10_001, "line 10001: the gzip stream breaks off"},
		{"gzip with a wrong sum", whole[:len(whole)-8] + "12345678", 10_001, "line 10001: read: gzip: invalid checksum"},
		{"gzip with garbage after it", zipped(ok) + "garbage of more than ten bytes", 2, "line 2: read: gzip: invalid header"},
		{"gzip that ends in its header", whole[:4], 0, "read gzip: unexpected EOF"},
		{"what begins like gzip", "\x1f\x8bgarbage that is no gzip", 0, "read gzip: gzip: invalid header"},
		{"garbage", "\x00\x01\x02", 1, "line 1: is not vendor,token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := collect(c.text)
			var at *intake.LineError
			if !errors.As(err, &at) || at.Line != c.line || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want at line %d %s", err, c.line, c.want)
			}
		})
	}
}

func TestTargetsBreaksOffWithinTheCompressedData(t *testing.T) {
	t.Parallel()
	// Lines that do not compress away, so that many come before the end.
	var b strings.Builder
	for i := range 20_000 {
		b.WriteString("huawei," + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "\n")
	}
	text := zipped(b.String())
	all, err := collect(text[:len(text)/2])
	if !errors.As(err, new(*intake.LineError)) || len(all) == 0 || len(all) == 20_000 {
		t.Fatalf("got %d targets and %v, want a part of them and a line", len(all), err)
	}
	if last := all[len(all)-1].line; err.(*intake.LineError).Line != last+1 { //nolint:errorlint // it was just found
		t.Errorf("got %v after line %d", err, last)
	}
}

func TestTargetsDoesNotDependOnHowTheInputIsSplit(t *testing.T) {
	t.Parallel()
	const text = "\ufeffvendor,token\r\nhuawei,a\r\n\nxiaomi,\"b\"\n"
	want := []got{{2, "huawei", "a"}, {4, "xiaomi", "b"}}
	for _, in := range []string{text, zipped(text)} {
		for name, r := range map[string]io.Reader{
			"byte by byte":           iotest.OneByteReader(strings.NewReader(in)),
			"half of what is wanted": iotest.HalfReader(strings.NewReader(in)),
			"its end with the data":  iotest.DataErrReader(strings.NewReader(in)),
		} {
			var all []got
			err := intake.Targets(r, func(line int, vendor, token []byte) error {
				all = append(all, got{line, string(vendor), string(token)})
				return nil
			})
			if err != nil || !slices.Equal(all, want) {
				t.Errorf("%s: got %v, %v, want %v", name, all, err, want)
			}
		}
	}
}

func TestAReadErrorNamesTheLine(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is broken")
	r := io.MultiReader(strings.NewReader("huawei,a\nhuawei,b"), iotest.ErrReader(broken))
	n := 0
	err := intake.Targets(r, func(int, []byte, []byte) error { n++; return nil })
	if !errors.Is(err, broken) || err.Error() != "line 2: read: the disk is broken" || n != 1 {
		t.Errorf("got %v after %d targets, want line 2 and the disk's fault after 1", err, n)
	}
}

func TestTargetsEndsWithTheFirstErrorOfAdd(t *testing.T) {
	t.Parallel()
	away := errors.New("redis is away")
	invalid := &push.InvalidError{Faults: []push.Fault{{Field: "targets.x", Reason: "is not a vendor"}}}
	for _, c := range []struct {
		name string
		err  error
		line bool
		want string
	}{
		{"the job's fault names the line", invalid, true, "line 2: targets.x: is not a vendor"},
		{"a fault that is not the file's stands by itself", away, false, "redis is away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			err := intake.Targets(strings.NewReader("x,1\nx,2\nx,3\n"), func(line int, _, _ []byte) error {
				if calls++; line == 2 {
					return c.err
				}
				return nil
			})
			if !errors.Is(err, c.err) || err.Error() != c.want || calls != 2 {
				t.Errorf("got %v after %d calls, want %s after 2", err, calls, c.want)
			}
			if got := errors.As(err, new(*intake.LineError)); got != c.line {
				t.Errorf("it has a line: %v, want %v", got, c.line)
			}
		})
	}
}

func FuzzTargets(f *testing.F) {
	f.Add([]byte("vendor,token\r\nhuawei,a\n\"huawei\",\"b\"\"c\"\n\n"))
	f.Add([]byte("\ufeff" + `{"vendor":"huawei","token":"a\u0062"}` + "\n" + `{"vendor":"x","token":"b"}`))
	f.Add([]byte("{\"vendor\":\"huawei\",\"token\":\"\xff\"}"))
	f.Add([]byte(zipped("huawei,a\nhuawei,b")))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := strings.Split(unzipped(in), "\n")
		last := 0
		err := intake.Targets(strings.NewReader(string(in)), func(n int, vendor, token []byte) error {
			if n <= last || n > len(lines) {
				t.Fatalf("line %d after line %d of %d", n, last, len(lines))
			}
			last = n
			for _, word := range []string{string(vendor), string(token)} {
				if !isFrom(lines[n-1], word) {
					t.Fatalf("line %d, %q, became %q", n, lines[n-1], word)
				}
			}
			return nil
		})
		var at *intake.LineError
		if err != nil && (!errors.As(err, &at) || at.Line != 0 && at.Line <= last) {
			t.Fatalf("got %v after line %d", err, last)
		}
	})
}

// isFrom reports whether a word comes from the line: unchanged, with its
// quotes doubled, or from JSON escapes, which are encoding/json's to read.
func isFrom(line, word string) bool {
	return strings.Contains(line, word) || strings.Contains(strings.ReplaceAll(line, `""`, `"`), word) ||
		strings.Contains(line, `\`)
}

// unzipped is what can be read of the input.
func unzipped(in []byte) string {
	if z, err := gzip.NewReader(strings.NewReader(string(in))); err == nil {
		in, _ = io.ReadAll(z) // as far as it goes
	}
	return string(in)
}
