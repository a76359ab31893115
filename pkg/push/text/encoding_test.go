package text_test

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/postrider/postrider/pkg/push/text"
)

// wide encodes as UTF-16.
func wide(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func TestFaultNamesTheEncoding(t *testing.T) {
	t.Parallel()
	const job = `{"app":"商城"}`
	for _, c := range []struct{ name, data, want string }{
		{"nothing", "", ""},
		{"UTF-8", job, ""},
		{"UTF-8 with a byte order mark", "\ufeff" + job, ""},
		{"ASCII of one character", "5", ""},
		{"UTF-16 LE with a mark", wide("\ufeff"+job, binary.LittleEndian), "is UTF-16: save it as UTF-8"},
		{"UTF-16 BE with a mark", wide("\ufeff"+job, binary.BigEndian), "is UTF-16: save it as UTF-8"},
		{"UTF-16 LE without a mark", wide(job, binary.LittleEndian), "is UTF-16: save it as UTF-8"},
		{"UTF-16 BE without a mark", wide(job, binary.BigEndian), "is UTF-16: save it as UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00", "is UTF-32: save it as UTF-8"},
		{"GBK", "{\"app\":\"\xc9\xcc\xb3\xc7\"}", "is not UTF-8, it looks like GBK: save it as UTF-8"},
		{"GBK with a backslash as second byte", "\xc0\x5c", "is not UTF-8, it looks like GBK: save it as UTF-8"},
		{"GB 18030 of four bytes", "\x81\x39\xef\x30", "is not UTF-8, it looks like GBK: save it as UTF-8"},
		{"Latin-1", "caf\xe9 ", "is not UTF-8: save it as UTF-8"},
		{"half of a GBK character", "\xc9", "is not UTF-8: save it as UTF-8"},
		{"bytes that begin no character", "\xff\xff\xff", "is not UTF-8: save it as UTF-8"},
		{"a program", "\x7fELF\x02\x01\x01\x00\xff", "is not UTF-8: save it as UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := text.Fault([]byte(c.data)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
