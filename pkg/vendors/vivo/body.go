package vivo

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/vendors"
)

// vivo takes two requests with one requestId for the same one, so it has to
// depend on everything that makes a request what it is, and on nothing that a
// repetition changes. All are 32 hex digits; vivo allows 64 characters.

// singleBody is the message to the request's only token.
func (a *adapter) singleBody(r *vendors.Request) ([]byte, error) {
	return payload(r.Message, ident{
		appID: a.appID, regID: r.Tokens[0], key: r.Key, receiptURL: r.ReceiptURL,
		requestID: requestID("send", r.Key, r.Tokens[0]),
		ttl:       seconds(r.TTL, singleLeast, singleMost),
	})
}

// saveBody is the message without tokens. One that is laid up again since vivo
// lost it is another request.
func (a *adapter) saveBody(r *vendors.Request) ([]byte, error) {
	return payload(r.Message, ident{
		appID: a.appID, key: r.Key, receiptURL: r.ReceiptURL,
		requestID: requestID("save", r.Key, r.Saved),
		ttl:       listTTL(r),
	})
}

func listTTL(r *vendors.Request) int64 { return seconds(r.TTL, listLeast, listMost) }

// listBody sends what was laid up. It is written in one piece, so the number of
// allocations does not grow with the tokens; its requestId is made of the rest.
func (a *adapter) listBody(r *vendors.Request) []byte {
	size := 256 + len(r.Saved)
	for _, t := range r.Tokens {
		size += len(t) + len(`"",`)
	}
	b := make([]byte, 0, size)
	b = append(append(b, `{"appId":`...), a.appID...)
	b = appendString(append(b, `,"taskId":`...), r.Saved)
	b = strconv.AppendInt(append(b, `,"pushMode":`...), int64(pushMode(r.Message)), 10)
	b = append(b, `,"regIds":[`...)
	for i, t := range r.Tokens {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, t)
	}
	b = append(b, ']')
	id := requestIDOf(append(b, r.Key...)) // the key is hashed and overwritten
	b = append(append(b, `,"requestId":"`...), id...)
	return append(b, `"}`...)
}

func requestID(kind, key, of string) string { return requestIDOf([]byte(kind + " " + key + " " + of)) }

func requestIDOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become the
// replacement character, as encoding/json has them.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
