package honor

import (
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// The JSON around the tokens, after the rest of the body.
const (
	head = `"token":[`
	tail = `]}`
)

// requestBody returns the body of a request.
func requestBody(r *vendors.Request) ([]byte, error) {
	msg, err := payload(r.Message, ident{ttl: r.TTL, key: r.Key, notifyID: body.NotifyID(r.Message.CollapseID, r.Key)})
	if err != nil {
		return nil, err
	}
	return body.WithTokens("", msg, head, r.Tokens, tail), nil
}
