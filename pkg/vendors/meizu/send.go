package meizu

import (
	"context"
	"net/http"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opSend = "send"

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client *http.Client
	base   string
	appID  string
	secret vendors.Secret
}

// Send makes exactly one request for at most 100 tokens.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	msg, err := payload(r.Message, ident{ttl: r.TTL, key: r.Key, receiptURL: r.ReceiptURL})
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	path := showPath
	if r.Message.Kind == push.Data {
		path = passPath
	}
	body := form(a.appID, msg, r.Tokens, a.secret)
	req, err := httpx.Post(ctx, opSend, a.base+path, "application/x-www-form-urlencoded;charset=UTF-8", body)
	if err != nil {
		return vendors.Answer{}, err
	}
	reply, err := httpx.Do(a.client, opSend, req)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, r.Tokens, a.secret.Reveal(), r.ReceiptURL)
}
