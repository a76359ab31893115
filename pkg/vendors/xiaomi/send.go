package xiaomi

import (
	"context"
	"net/http"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const (
	opSend   = "send"
	formType = "application/x-www-form-urlencoded;charset=UTF-8"
)

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client      *http.Client
	sendURL     string
	mixedURL    string
	packageName string
	secret      vendors.Secret
}

// Send makes exactly one request for at most 1,000 tokens.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	list, err := a.fields(r)
	if err != nil {
		return vendors.Answer{}, err
	}
	sent := delivery{tokens: r.Tokens, messages: []channelTokens{{channel(list), len(r.Tokens)}}}
	return a.post(ctx, a.sendURL, formBody(list, r.Tokens), sent, r.ReceiptURL)
}

// SendMixed makes exactly one request for several messages, with at most 500
// tokens in all.
func (a *adapter) SendMixed(ctx context.Context, rs []*vendors.Request) (vendors.Answer, error) {
	messages := make([][]field, len(rs))
	var sent delivery
	var address string
	for i, r := range rs {
		list, err := a.fields(r)
		if err != nil {
			return vendors.Answer{}, err
		}
		messages[i], address = list, r.ReceiptURL // the same in all requests: it is the account's
		sent.tokens = append(sent.tokens, r.Tokens...)
		sent.messages = append(sent.messages, channelTokens{channel(list), len(r.Tokens)})
	}
	return a.post(ctx, a.mixedURL, mixedBody(messages, rs), sent, address)
}

// fields fails only for messages that Check refuses. The error says that nothing was
// sent.
func (a *adapter) fields(r *vendors.Request) ([]field, error) {
	list, err := fields(r.Message, ident{packageName: a.packageName, ttl: r.TTL, key: r.Key, receiptURL: r.ReceiptURL})
	if err != nil {
		return nil, vendors.UnsentError(opSend, err)
	}
	return list, nil
}

func (a *adapter) post(ctx context.Context, address string, body []byte, sent delivery, receiptURL string) (vendors.Answer, error) {
	req, err := httpx.Post(ctx, opSend, address, formType, body)
	if err != nil {
		return vendors.Answer{}, err
	}
	req.Header.Set("Authorization", "key="+a.secret.Reveal())
	reply, err := httpx.Do(a.client, opSend, req)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, sent, a.secret.Reveal(), receiptURL)
}
