package vivo

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// vivo treats two requests with one requestId as the same request. So the requestId
// depends on everything that distinguishes requests, and on nothing that changes
// when a request is repeated. It has 32 hex digits; vivo allows 64 characters.

// singleBody returns the body for the message to the request's only token.
func (a *adapter) singleBody(r *vendors.Request) ([]byte, error) {
	return payload(r.Message, ident{
		appID: a.appID, regID: r.Tokens[0], key: r.Key, receiptURL: r.ReceiptURL,
		requestID: requestID("send", r.Key, r.Tokens[0]),
		ttl:       seconds(r.TTL, singleLeast, singleMost),
	})
}

// uploadBody returns the message without tokens. If it is uploaded again because vivo
// lost it, the requestId differs.
func (a *adapter) uploadBody(r *vendors.Request) ([]byte, error) {
	return payload(r.Message, ident{
		appID: a.appID, key: r.Key, receiptURL: r.ReceiptURL,
		requestID: requestID("save", r.Key, r.UploadID),
		ttl:       listTTL(r),
	})
}

func listTTL(r *vendors.Request) int64 { return seconds(r.TTL, listLeast, listMost) }

// listBody returns the body that sends an uploaded message. It is written into one
// buffer, so the number of allocations does not grow with the tokens. Its requestId
// is a hash of the rest.
func (a *adapter) listBody(r *vendors.Request) []byte {
	b := make([]byte, 0, 256+len(r.UploadID)+body.StringsSize(r.Tokens))
	b = append(append(b, `{"appId":`...), a.appID...)
	b = body.AppendString(append(b, `,"taskId":`...), r.UploadID)
	b = strconv.AppendInt(append(b, `,"pushMode":`...), int64(pushMode(r.Message)), 10)
	b = body.AppendStrings(append(b, `,"regIds":[`...), r.Tokens)
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
