package honor

import (
	"context"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/oauth"
)

const opSend = "send"

// adapter is immutable, and safe for concurrent use.
type adapter struct {
	sendURL string
	auth    oauth.Client
}

// Send makes exactly one request for at most 1,000 distinct tokens: Honor refuses a
// request that names a token twice.
func (a *adapter) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	body, err := requestBody(r)
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError(opSend, err)
	}
	req, err := httpx.Post(ctx, opSend, a.sendURL, "application/json; charset=UTF-8", body)
	if err != nil {
		return vendors.Answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Access)
	// Milliseconds, the time of this attempt: Honor refuses an old timestamp.
	req.Header.Set("Timestamp", strconv.FormatInt(r.Now.UnixMilli(), 10))
	reply, err := httpx.Do(a.auth.HTTP, opSend, req)
	if err != nil {
		return vendors.Answer{}, err
	}
	return readAnswer(reply, r.Tokens, r.Access, a.auth.Secret.Reveal())
}

// Grant makes one request for an access token.
func (a *adapter) Grant(ctx context.Context, _ time.Time) (vendors.Grant, error) {
	return a.auth.Grant(ctx)
}
