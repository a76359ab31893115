package vivo

import (
	"context"
	"errors"
	"net/http"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const (
	opSend   = "send"
	opUpload = "upload message"

	jsonType = "application/json; charset=UTF-8"
)

// The paths: https://dev.vivo.com.cn/documentCenter/doc/362
const (
	pathAuth   = "/auth"
	pathSend   = "/send"
	pathUpload = "/saveListPayload"
	pathList   = "/pushToList"
)

var errNotUploaded = errors.New("the message was not uploaded")

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client *http.Client
	base   string
	appID  string // digits; a number in JSON
	appKey string
	secret vendors.Secret
}

// NeedsUpload reports whether the request is a list push: vivo refuses a list of one.
func (a *adapter) NeedsUpload(r *vendors.Request) bool { return len(r.Tokens) >= minTokens }

// Send makes exactly one request for at most 1,000 tokens. Two or more need r.UploadID.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	if a.NeedsUpload(r) {
		return a.sendList(ctx, r)
	}
	body, err := a.singleBody(r)
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	reply, err := a.post(ctx, opSend, pathSend, r.Access, body)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, r.Tokens, r.Access, a.secret.Reveal(), r.ReceiptURL)
}

func (a *adapter) sendList(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	if r.UploadID == "" {
		return vendors.Answer{}, vendors.UnsentError(opSend, errNotUploaded)
	}
	reply, err := a.post(ctx, opSend, pathList, r.Access, a.listBody(r))
	if err != nil {
		return vendors.Answer{}, err
	}
	answer, err := readAnswer(reply, r.Tokens, r.Access, a.secret.Reveal(), r.ReceiptURL)
	if answer.Code.Level == classify.Response {
		answer.UploadGone = answer.Code.Code == codeBadTask || answer.Code.Code == codeNoMessage
		answer.RequestID = r.UploadID // receipts name the task's id
	}
	return answer, err
}

func (a *adapter) post(ctx context.Context, op, path, access string, body []byte) (httpx.Reply, error) {
	req, err := httpx.Post(ctx, op, a.base+path, jsonType, body)
	if err != nil {
		return httpx.Reply{}, err
	}
	if access != "" {
		req.Header["authToken"] = []string{access} // as the document writes it, not as net/http would
	}
	return httpx.Do(a.client, op, req)
}
