package oppo

import (
	"fmt"
	"maps"
	"slices"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// Bodies are forms, and some of their values are JSON. A body is written into one
// buffer, and the part that all tokens share is escaped once, so that the number of
// allocations does not grow with the tokens.

const (
	targetHead = `{"target_type":2,"target_value":` // 2: registration_id
	targetTail = `,"verify_registration_id":false,"notification":`
)

// unicastBody returns the body for one message to the request's only token.
func unicastBody(r *vendors.Request) ([]byte, error) {
	n, err := payload(r.Message, identOf(r, r.Key))
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256+3*(len(n)+len(r.Tokens[0])))
	b = appendForm(append(b, "auth_token="...), r.Access)
	b = append(b, "&message="...)
	target, _ := appendTarget(b, nil, r.Tokens[0], escaped(append(n, '}')))
	return target, nil
}

// batchBody returns the body that sends every request's message to all its tokens.
func batchBody(rs []*vendors.Request) ([]byte, error) {
	shared := make([][]byte, len(rs)) // each message, written after its token
	size := 256
	for i, r := range rs {
		n, err := payload(r.Message, identOf(r, r.Key))
		if err != nil {
			return nil, err
		}
		shared[i] = escaped(append(n, '}'))
		for _, t := range r.Tokens {
			size += len(shared[i]) + len(t) + 3*len(targetHead+targetTail)
		}
	}
	b := make([]byte, 0, size)
	b = appendForm(append(b, "auth_token="...), rs[0].Access)
	b = append(b, "&messages="...)
	var quoted []byte
	between := "["
	for i, r := range rs {
		for _, t := range r.Tokens {
			b = appendForm(b, between)
			b, quoted = appendTarget(b, quoted, t, shared[i])
			between = ","
		}
	}
	return appendForm(b, "]"), nil
}

// appendTarget appends one element of messages. scratch is a buffer for the token as
// JSON; it is returned so that the next call can use it.
func appendTarget(b, scratch []byte, token string, shared []byte) (form, _ []byte) {
	b = append(b, escapedHead...)
	scratch = body.AppendString(scratch[:0], token)
	b = appendForm(b, scratch)
	b = append(b, escapedTail...)
	return append(b, shared...), scratch
}

var (
	escapedHead = escaped([]byte(targetHead))
	escapedTail = escaped([]byte(targetTail))
)

// broadcastBody returns the body that sends an uploaded message.
func broadcastBody(r *vendors.Request) []byte {
	size := 256 + len(r.Access)
	for _, t := range r.Tokens {
		size += len(t) + len("%3B")
	}
	b := make([]byte, 0, size)
	b = appendForm(append(b, "auth_token="...), r.Access)
	b = appendForm(append(b, "&message_id="...), r.UploadID)
	b = append(b, "&target_type=2&target_value="...)
	for i, t := range r.Tokens {
		if i > 0 {
			b = append(b, "%3B"...) // a semicolon
		}
		b = appendForm(b, t)
	}
	return b
}

// uploadBody returns the notification as a form with one field for each member.
func uploadBody(r *vendors.Request) ([]byte, error) {
	n, err := payload(r.Message, identOf(r, uploadMessageID(r)))
	if err != nil {
		return nil, err
	}
	doc, err := body.Object(n)
	if err != nil {
		return nil, err
	}
	b := appendForm([]byte("auth_token="), r.Access)
	for _, field := range slices.Sorted(maps.Keys(doc)) {
		value, ok := doc[field].(string)
		if !ok {
			raw, err := body.Encode(doc[field])
			if err != nil {
				return nil, fmt.Errorf("encode message: %w", err)
			}
			value = string(raw)
		}
		b = appendForm(append(b, '&'), field)
		b = appendForm(append(b, '='), value)
	}
	return b, nil
}

func identOf(r *vendors.Request, appMessageID string) ident {
	return ident{appMessageID: appMessageID, key: r.Key, ttl: r.TTL, receiptURL: r.ReceiptURL}
}

func escaped(b []byte) []byte { return appendForm(make([]byte, 0, len(b)+len(b)/2), b) }

// plain has the bytes that a form does not escape.
var plain = func() (p [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
		p[c] = true
	}
	return p
}()

// appendForm appends a value escaped for a form. A space becomes %20, which every
// decoder accepts.
func appendForm[S ~string | ~[]byte](b []byte, s S) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; plain[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&0xf])
		}
	}
	return b
}
