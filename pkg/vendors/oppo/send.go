package oppo

import (
	"context"
	"errors"
	"net/http"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const (
	opSend   = "send"
	opUpload = "upload message"

	formType = "application/x-www-form-urlencoded"
)

// The paths: https://open.oppomobile.com/new/developmentDoc/info?id=11235
const (
	pathAuth      = "/auth"
	pathUnicast   = "/message/notification/unicast"
	pathBatch     = "/message/notification/unicast_batch"
	pathUpload    = "/message/notification/save_message_content"
	pathBroadcast = "/message/notification/broadcast"
)

var errNotUploaded = errors.New("the message was not uploaded")

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client   *http.Client
	base     string
	feedback string // of the feedback API; "": there is no list to fetch
	appKey   string
	secret   vendors.Secret
}

// Send makes exactly one request for at most 1,000 tokens. Marketing needs
// r.UploadID: according to
// https://open.oppomobile.com/new/developmentDoc/info?id=11238 messages of the
// service class may only be sent to single users.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	switch {
	case a.NeedsUpload(r) && r.UploadID == "":
		return vendors.Answer{}, vendors.UnsentError(opSend, errNotUploaded)
	case a.NeedsUpload(r):
		return a.sendBody(ctx, pathBroadcast, broadcastBody(r), r.Tokens, r)
	case len(r.Tokens) == 1:
		body, err := unicastBody(r)
		if err != nil {
			return vendors.Answer{}, vendors.UnsentError(opSend, err)
		}
		return a.sendBody(ctx, pathUnicast, body, r.Tokens, r)
	}
	return a.SendMixed(ctx, []*vendors.Request{r})
}

// SendMixed makes exactly one unicast_batch request, for messages of any class.
func (a *adapter) SendMixed(ctx context.Context, rs []*vendors.Request) (vendors.Answer, error) {
	if len(rs) == 0 {
		return vendors.Answer{}, vendors.UnsentError(opSend, errors.New("no messages"))
	}
	body, err := batchBody(rs)
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	return a.sendBody(ctx, pathBatch, body, allTokens(rs), rs[0])
}

// NeedsUpload reports whether the message is sent as a broadcast.
func (a *adapter) NeedsUpload(r *vendors.Request) bool { return r.Message.Class == push.Marketing }

// sendBody posts a body and reads the answer for the tokens in the body.
func (a *adapter) sendBody(ctx context.Context, path string, body []byte, tokens []string, r *vendors.Request) (vendors.Answer, error) {
	reply, err := a.post(ctx, opSend, path, body)
	if err != nil {
		return vendors.Answer{}, err
	}
	answer, err := readAnswer(reply, tokens, r.Access, a.secret.Reveal(), r.ReceiptURL)
	answer.UploadGone = path == pathBroadcast && answer.Code.Level == classify.Response && answer.Code.Code == codeNotExist
	return answer, err
}

func (a *adapter) post(ctx context.Context, op, path string, body []byte) (httpx.Reply, error) {
	req, err := httpx.Post(ctx, op, a.base+path, formType, body)
	if err != nil {
		return httpx.Reply{}, err
	}
	return httpx.Do(a.client, op, req)
}

// allTokens returns the tokens of all requests in order. It does not copy those of a
// single request.
func allTokens(rs []*vendors.Request) []string {
	if len(rs) == 1 {
		return rs[0].Tokens
	}
	n := 0
	for _, r := range rs {
		n += len(r.Tokens)
	}
	all := make([]string, 0, n)
	for _, r := range rs {
		all = append(all, r.Tokens...)
	}
	return all
}
