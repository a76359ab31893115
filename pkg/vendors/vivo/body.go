package vivo

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
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

// uploadBody is the message without tokens. One that is uploaded again since vivo
// lost it is another request.
func (a *adapter) uploadBody(r *vendors.Request) ([]byte, error) {
	return payload(r.Message, ident{
		appID: a.appID, key: r.Key, receiptURL: r.ReceiptURL,
		requestID: requestID("save", r.Key, r.UploadID),
		ttl:       listTTL(r),
	})
}

func listTTL(r *vendors.Request) int64 { return seconds(r.TTL, listLeast, listMost) }

// listBody sends an uploaded message. It is written in one piece, so the number of
// allocations does not grow with the tokens; its requestId is made of the rest.
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
