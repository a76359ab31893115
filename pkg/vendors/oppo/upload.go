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

// uploadLifetime is how long a message_id is used. OPPO documents no lifetime; a name
// that is gone earlier is answered with 31 and uploaded again.
const uploadLifetime = 24 * time.Hour

var errNoMessageID = errors.New("a success without a message_id")

// Upload stores the message at the vendor for broadcasts. A refusal is an *vendors.Error with
// the level response; where the code means another thing than it does in a
// send, it is written "save/" and the code.
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
			Code:       classify.Code{Level: classify.Response, Code: uploadCode(code), Text: words(body.Decode(e.Message), nil, hide...)},
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

// uploadCode prefers the row of its own that a code may have for uploads: no
// answer to an upload is about a token.
func uploadCode(code string) string {
	if _, known := codes().Lookup(classify.Response, "save/"+code); known {
		return "save/" + code
	}
	return code
}
