package huawei

import (
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// requestBody returns the body of a request.
func requestBody(r *vendors.Request) ([]byte, error) {
	msg, err := payload(r.Message, ident{ttl: r.TTL, key: r.Key, notifyID: body.NotifyID(r.Message.CollapseID, r.Key)})
	if err != nil {
		return nil, err
	}
	return body.WithTokens(`{"message":`, msg, `"token":[`, r.Tokens, `]}}`), nil
}
