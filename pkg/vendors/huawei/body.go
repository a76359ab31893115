package huawei

import (
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/vendors"
)

// requestBody is the whole request. The message is encoded once and the tokens
// are written behind it, so the number of allocations does not grow with them.
func requestBody(r *vendors.Request) ([]byte, error) {
	msg, err := payload(r.Message, ident{ttl: r.TTL, key: r.Key, notifyID: notifyID(r.Message, r.Key)})
	if err != nil {
		return nil, err
	}
	const head, tail = `{"message":`, `]}}`
	size := len(head) + len(msg) + len(`,"token":[`) + len(tail)
	for _, t := range r.Tokens {
		size += len(t) + len(`"",`)
	}
	body := make([]byte, 0, size)
	body = append(body, head...)
	body = append(body, msg[:len(msg)-1]...)
	if len(msg) > len(`{}`) {
		body = append(body, ',')
	}
	body = append(body, `"token":[`...)
	for i, t := range r.Tokens {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendString(body, t)
	}
	return append(body, tail...), nil
}

// appendString appends s as a JSON string. Runs that need no escape are copied whole.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[start:i]...)
			if c < ' ' {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			} else {
				b = append(b, '\\', c)
			}
			start = i + 1
		}
		i++
	}
	return append(append(b, s[start:]...), '"')
}
