package oppo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const opList = "fetch invalid registration ids"

// pathInvalid is a path of the feedback API, in mixed case. OPPO answers with up to
// 500 ids and deletes them on its side:
// https://open.oppomobile.com/new/developmentDoc/info?id=11235
const pathInvalid = "/feedback/fetch_invalid_regidList"

// codeListed is the code of the ids on the list. A receipt about an invalid id has
// the same code.
var codeListed = classify.Code{Level: classify.Receipt, Code: "regid_invalid", Text: "on OPPO's list of invalid registration ids"}

var errNoList = errors.New("a success without registration_ids")

// HasList reports whether the app's list can be fetched. For an API at another
// address only feedback_url says which host has the list.
func (a *adapter) HasList() bool { return a.feedback != "" }

// FetchList makes exactly one request for the next ids of the list.
func (a *adapter) FetchList(ctx context.Context, access string) (vendors.ListPage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.feedback+pathInvalid, nil)
	if err != nil {
		return vendors.ListPage{}, vendors.UnsentError(opList, errors.New("the address cannot be used"))
	}
	// Not in the URL, which proxies write to their logs.
	req.Header.Set("auth_token", access)
	reply, err := httpx.Do(a.client, opList, req)
	if err != nil {
		return vendors.ListPage{}, err
	}
	return readListPage(reply, access, a.secret.Reveal())
}

func readListPage(reply httpx.Reply, hide ...string) (vendors.ListPage, error) {
	e := parse(reply.Body)
	switch code := codeOf(e.Code); {
	case code == "" && reply.Status/100 == 2:
		return vendors.ListPage{}, vendors.MalformedError(opList, errNoCode)
	case code == "", code == codeSuccess && reply.Status/100 != 2:
		return vendors.ListPage{}, &vendors.Error{Op: opList, Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	case code != codeSuccess:
		return vendors.ListPage{}, &vendors.Error{
			Op:         opList,
			Code:       classify.Code{Level: classify.Response, Code: code, Text: vendorText(body.Decode(e.Message), nil, hide...)},
			Status:     reply.Status,
			RetryAfter: reply.RetryAfter,
		}
	}
	var data struct {
		IDs   []json.RawMessage `json:"registration_ids"`
		Total *int              `json:"totalCount"`
	}
	none := len(e.Data) == 0 || string(e.Data) == "null"
	if !none && (json.Unmarshal(e.Data, &data) != nil || data.IDs == nil && (data.Total == nil || *data.Total > 0)) {
		return vendors.ListPage{}, vendors.MalformedError(opList, errNoList)
	}
	// An entry that is not an id is left out. The other ids of the page are kept, since
	// OPPO does not send them again.
	p := vendors.ListPage{Code: codeListed}
	for _, raw := range data.IDs {
		if id := name(raw); id != "" {
			p.Tokens = append(p.Tokens, id)
		} else {
			p.Unreadable++
		}
	}
	return p, nil
}
