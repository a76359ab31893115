package vivo

import (
	"context"
	"errors"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// uploadLifetime is the longest time that a taskId is used. vivo documents no
// lifetime. If the message is gone earlier, vivo answers 10155 and the message is
// uploaded again.
const uploadLifetime = 24 * time.Hour

var errNoTask = errors.New("a success without a taskId")

// Upload stores the message at the vendor for list pushes. A refusal is an
// *vendors.Error with the level response. Its code has vendors.UploadPrefix
// where its meaning differs from that in the answer to a send.
func (a *adapter) Upload(ctx context.Context, r *vendors.Request) (vendors.Uploaded, error) {
	body, err := a.uploadBody(r)
	if err != nil {
		return vendors.Uploaded{}, vendors.UnsentError(opUpload, err)
	}
	reply, err := a.post(ctx, opUpload, pathUpload, r.Access, body)
	if err != nil {
		return vendors.Uploaded{}, err
	}
	life := min(uploadLifetime, time.Duration(listTTL(r))*time.Second)
	return readUploaded(reply, life, r.Access, a.secret.Reveal(), r.ReceiptURL)
}

func readUploaded(reply httpx.Reply, life time.Duration, hide ...string) (vendors.Uploaded, error) {
	e := parse(reply.Body)
	code, id := codeOf(e.Result), name(e.TaskID)
	switch {
	case code == "" && reply.Status/100 == 2:
		return vendors.Uploaded{}, vendors.MalformedError(opUpload, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.Uploaded{}, &vendors.Error{Op: opUpload, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.Uploaded{}, &vendors.Error{
			Op:         opUpload,
			Code:       classify.Code{Level: classify.Response, Code: vendors.UploadCode(codes(), code), Text: httpx.RedactAnswer(text(e.Desc), nil, hide...)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	case id == "":
		return vendors.Uploaded{}, vendors.MalformedError(opUpload, errNoTask)
	}
	return vendors.Uploaded{ID: id, Lifetime: life}, nil
}
