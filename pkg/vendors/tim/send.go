package tim

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opSend = "send"

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	client           *http.Client
	pushURL, chatURL string // with the part of the query that is the same in every request
	appID            int64
	identifier       string
	secret           vendors.Secret
	chat             bool // notifications are chat messages
}

// Send makes exactly one request for at most 500 accounts. Its URL contains the
// UserSig, so the URL must not be printed.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	address, write := a.pushURL, a.pushBody
	if a.sendsAsChat(r.Message) {
		address, write = a.chatURL, a.chatBody
	}
	body, err := write(r)
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	address += "&usersig=" + url.QueryEscape(r.Access) + "&random=" + strconv.FormatUint(uint64(random(r)), 10)
	req, err := httpx.Post(ctx, opSend, address, "application/json", body)
	if err != nil {
		return vendors.Answer{}, err
	}
	reply, err := httpx.Do(a.client, opSend, req)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, r.Tokens, r.Access, a.secret.Reveal())
}

// Pace returns the limit of chat messages. The push service has only the app's rate.
func (a *adapter) Pace(m *push.Message) float64 {
	if a.sendsAsChat(m) {
		return chatPace
	}
	return 0
}

// sendsAsChat reports whether a message is sent as a chat message.
func (a *adapter) sendsAsChat(m *push.Message) bool { return a.chat || isData(m) }
