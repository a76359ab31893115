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

// savedFor is how long a message_id is used. OPPO documents no lifetime; a name
// that is gone earlier is answered with 31 and saved anew.
const savedFor = 24 * time.Hour

var errNoMessageID = errors.New("a success without a message_id")

// Save lays the message up for broadcasts. A refusal is an *vendors.Error with
// the level response; where the code means another thing than it does in a
// send, it is written "save/" and the code.
func (a *adapter) Upload(ctx context.Context, r *vendors.Request) (vendors.Uploaded, error) {
	body, err := saveBody(r)
	if err != nil {
		return vendors.Uploaded{}, vendors.UnsentError(opSave, err)
	}
	reply, err := a.post(ctx, opSave, pathSave, body)
	if err != nil {
		return vendors.Uploaded{}, err
	}
	return readSaved(reply, r.Access, a.secret.Reveal(), r.ReceiptURL)
}

func readSaved(reply httpx.Reply, hide ...string) (vendors.Uploaded, error) {
	e := parse(reply.Body)
	code := codeOf(e.Code)
	switch {
	case code == "" && reply.Status/100 == 2:
		return vendors.Uploaded{}, vendors.MalformedError(opSave, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.Uploaded{}, &vendors.Error{Op: opSave, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.Uploaded{}, &vendors.Error{
			Op:         opSave,
			Code:       classify.Code{Level: classify.Response, Code: saveCode(code), Text: words(body.Decode(e.Message), nil, hide...)},
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
		return vendors.Uploaded{}, vendors.MalformedError(opSave, errNoMessageID)
	}
	return vendors.Uploaded{ID: id, Lifetime: savedFor}, nil
}

// saveCode prefers the row of its own that a code may have for saving: none of
// these answers speaks of a token.
func saveCode(code string) string {
	if _, known := codes().Lookup(classify.Response, "save/"+code); known {
		return "save/" + code
	}
	return code
}
