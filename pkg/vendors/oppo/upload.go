package oppo

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// uploadLifetime is how long a message_id is used. OPPO documents no lifetime. If the
// message is gone earlier, OPPO answers 31 and the message is uploaded again.
const uploadLifetime = 24 * time.Hour

var errNoMessageID = errors.New("a success without a message_id")

// Upload stores the message at the vendor for broadcasts. A refusal is an
// *vendors.Error with the level response. Its code has vendors.UploadPrefix
// where its meaning differs from that in the answer to a send.
func (a *adapter) Upload(ctx context.Context, r *vendors.Request) (vendors.Uploaded, error) {
	body, err := uploadBody(r)
	if err != nil {
		return vendors.Uploaded{}, vendors.UnsentError(opUpload, err)
	}
	reply, err := a.post(ctx, opUpload, pathUpload, body)
	if err != nil {
		return vendors.Uploaded{}, err
	}
	return readUploaded(reply, r.Access, a.secret.Reveal(), r.ReceiptURL)
}

func readUploaded(reply httpx.Reply, hide ...string) (vendors.Uploaded, error) {
	e := parse(reply.Body)
	code := codeOf(e.Code)
	switch {
	case code == "" && reply.Status/100 == 2:
		return vendors.Uploaded{}, vendors.MalformedError(opUpload, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.Uploaded{}, &vendors.Error{Op: opUpload, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.Uploaded{}, &vendors.Error{
			Op:         opUpload,
			Code:       classify.Code{Level: classify.Response, Code: vendors.UploadCode(codes(), code), Text: vendorText(body.Decode(e.Message), nil, hide...)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	}
	var data struct {
		ID json.RawMessage `json:"message_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		data.ID = nil
	}
	id := name(data.ID)
	if id == "" {
		return vendors.Uploaded{}, vendors.MalformedError(opUpload, errNoMessageID)
	}
	return vendors.Uploaded{ID: id, Lifetime: uploadLifetime}, nil
}
