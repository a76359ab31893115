package harmony

import (
	"context"
	"net/http"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opSend = "send"

// Values of the header push-type:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-struct
const (
	pushTypeAlert      = "0"
	pushTypeBackground = "6"
)

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client  *http.Client
	sendURL string
	signer  signer
}

// Send makes exactly one request for at most 1,000 tokens.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	body, err := requestBody(r)
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	req, err := httpx.Post(ctx, opSend, a.sendURL, "application/json", body)
	if err != nil {
		return vendors.Answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Access)
	req.Header.Set("Push-Type", pushType(r.Message))
	reply, err := httpx.Do(a.client, opSend, req)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, r.Tokens, r.Access)
}

func pushType(m *push.Message) string {
	if m.Kind == push.Data {
		return pushTypeBackground
	}
	return pushTypeAlert
}
