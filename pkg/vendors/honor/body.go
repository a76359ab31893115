package honor

import (
	"encoding/json"

	"github.com/postrider/postrider/pkg/vendors"
)

// What stands around the tokens, behind the rest of the body.
const (
	head = `"token":[`
	tail = `]}`
)

// requestBody is the whole request. The message is encoded once and the tokens
// are written behind it, so the number of allocations does not grow with them.
func requestBody(r *vendors.Request) ([]byte, error) {
	msg, err := payload(r.Message, ident{ttl: r.TTL, key: r.Key, notifyID: notifyID(r.Message, r.Key)})
	if err != nil {
		return nil, err
	}
	size := len(msg) + len(head) + len(tail)
	for _, t := range r.Tokens {
		size += len(t) + len(`"",`)
	}
	body := make([]byte, 0, size)
	body = append(body, msg[:len(msg)-1]...)
	if len(msg) > len(`{}`) {
		body = append(body, ',')
	}
	body = append(body, head...)
	for i, t := range r.Tokens {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendString(body, t)
	}
	return append(body, tail...), nil
}

// appendString appends s as a JSON string. Tokens are plain ASCII; whatever is
// not is left to the encoder.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string can always be encoded
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
