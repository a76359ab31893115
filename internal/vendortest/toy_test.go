package vendortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/receipts"
)

// toy is the adapter of a vendor that does not exist. The fields of plant add
// faults; with the zero value it has no fault.
type toy struct {
	*plant
	client *http.Client
	base   string
	secret vendors.Secret
	plain  string // the secret, where toy prints it

	cachedMu sync.Mutex
	cached   vendors.Grant
}

// plant says what is wrong with a toy.
type plant struct {
	reserved      []string // fields that overrides may not touch
	max           int      // what Check enforces
	repeats       bool     // a request that gets a 503 is repeated
	resends       bool     // a request without an answer is repeated
	ignoresCtx    bool
	leaks         bool // the vendor's text is passed on unchanged
	leaksToken    bool // tokens stay in the text
	leaksInError  bool
	prints        bool // the adapter stores its secret as a string
	optimistic    bool // an answer that cannot be read is a success
	acceptsAll    bool // an unknown code is a success
	hasty         bool // a truncated answer is read as a whole one
	keyless       bool // the key is not sent
	statusless    bool // Answer.Status is not set
	impatient     bool // Retry-After is dropped
	greedy        bool // answers are read without a limit
	forgetful     bool // the last token is left out
	grantsInSend  bool
	cachesGrants  bool
	appends       bool // the tokens follow the merged message
	header        bool // overrides may set a header
	mutates       bool // Send changes its request
	insecure      bool // plain http is accepted for any host
	contentless   bool // empty settings have no faults
	talkative     bool // errors are not *vendors.Error
	wrongRequest  bool // a field of the request has another name
	unsentUnknown bool // a refused connection is not known to be unsent
}

const toyCodes = `level	code	class	remedy	scope	tries	action	bucket	window	meaning	source
response	ok	success	none	batch	-	-	-	-	all tokens are accepted	https://toy.example/api
response	partial	success	none	batch	-	-	-	-	the named tokens are not accepted	https://toy.example/api
response	busy	retryable	backoff	batch	-	-	-	-	try again later	https://toy.example/api
response	full	retryable	wait-quota	app	-	-	day	day	the quota of the day is used up	https://toy.example/api
token	gone	token-invalid	drop-token	token	-	delete	-	-	the app was uninstalled	https://toy.example/api
auth	denied	permanent	config	app	-	-	-	-	wrong credentials	https://toy.example/api
receipt	shown	success	none	token	-	-	-	-	the message is on the screen	https://toy.example/api
receipt	gone	token-invalid	drop-token	token	-	delete	-	-	the app was uninstalled	https://toy.example/api
`

type toySettings struct {
	*plant  `yaml:"-"`
	ID      string         `yaml:"id"`
	Secret  vendors.Secret `yaml:"secret"`
	BaseURL string         `yaml:"base_url"`
}

func (s *toySettings) Faults() []push.Fault {
	var faults []push.Fault
	if s.ID == "" && !s.contentless {
		faults = append(faults, push.Fault{Field: "id", Reason: "is required"})
	}
	if s.insecure {
		return faults
	}
	return append(faults, httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

func (s *toySettings) Open(client *http.Client) vendors.Vendor {
	t := &toy{plant: s.plant, client: client, base: s.BaseURL, secret: s.Secret}
	if s.prints {
		t.plain = s.Secret.Reveal()
	}
	return t
}

// toySpec returns the spec of a toy with the given faults.
func toySpec(p *plant) vendors.Spec {
	if p.reserved == nil {
		p.reserved = []string{"to", "id", "access"}
	}
	if p.max == 0 {
		p.max = 2000
	}
	overrides := &body.Overrides{Field: "message.overrides.toy", Into: "the request", Reserved: p.reserved, Because: "the job decides it"}
	var mapping strings.Builder
	mapping.WriteString("field\tto\n")
	for field := range strings.FieldsSeq("kind class category channel title body data click collapse_id ttl image sound badge test overrides.toy") {
		fmt.Fprintf(&mapping, "message.%s\t-\n", field)
	}
	size := func(m *push.Message) (int, error) {
		text, err := p.message(&vendors.Request{Message: m}, overrides)
		return len(text), err
	}
	return vendors.Spec{
		Name: "toy", Title: "Toy Push", Batch: 10, Rate: 5, Unit: vendors.Requests,
		Codes:  classify.MustParse("toy", toyCodes),
		Quotas: []vendors.Quota{{Bucket: "day", Meaning: "all messages", Counts: vendors.EveryMessage}},
		Check: func(m *push.Message) []push.Fault {
			if faults := overrides.Faults(m.Overrides["toy"]); len(faults) > 0 {
				return faults
			}
			n, err := size(m)
			return body.CheckSize(m, "toy", n, err, "the message", p.max)
		},
		Limits:    []vendors.Limit{{Field: "message.body", Max: 2000, Unit: "bytes", Size: size}},
		KeyFields: []string{"id"},
		Settings:  func() vendors.Settings { return &toySettings{plant: p} },
		Mapping:   vendors.MustParseMapping(mapping.String()),
		Receipts:  &vendors.Receipts{Read: readToyReceipts, ContentType: "text/plain", Reply: "ok"},
		Demo:      "id: demo\nsecret: demo-secret\nbase_url: \"%BASE%\"\n",
		Example:   "#toy: {id: \"1\", secret: s}\n",
	}
}

func readToyReceipts(c *vendors.ReceiptCall) ([]vendors.Receipt, error) {
	return receipts.ReadList(c.Body, "receipts", func(f receipts.Fields) vendors.Receipt {
		event := vendors.Failed
		if f.Text("code") == "shown" {
			event = vendors.Arrived
		}
		return vendors.Receipt{Token: f.Text("token"), Code: classify.Code{Level: classify.Receipt, Code: f.Text("code")}, Event: event}
	})
}

// message returns the request without its tokens.
func (p *plant) message(r *vendors.Request, overrides *body.Overrides) ([]byte, error) {
	m := map[string]any{"title": r.Message.Title, "body": r.Message.Body, "data": r.Message.Data}
	if !p.keyless {
		m["id"] = fmt.Sprintf("%32s", r.Key)
	}
	if p.wrongRequest {
		m["heading"] = r.Message.Title
	}
	return overrides.Merge(m, r.Message.Overrides["toy"])
}

func (t *toy) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	if t.ignoresCtx {
		ctx = context.WithoutCancel(ctx)
	}
	if t.grantsInSend {
		if _, err := t.Grant(ctx, r.Now); err != nil {
			return vendors.Answer{}, err
		}
	}
	tokens := r.Tokens
	if t.forgetful {
		tokens = tokens[:len(tokens)-1]
	}
	reply, err := t.post(ctx, r, tokens)
	if err != nil && t.resends || err == nil && t.repeats && reply.Status == http.StatusServiceUnavailable {
		reply, err = t.post(ctx, r, tokens)
	}
	if err != nil {
		return vendors.Answer{}, t.failed(err)
	}
	if t.mutates {
		r.Tokens[0] = "another-token"
	}
	return t.read(reply, r)
}

func (t *toy) failed(err error) error {
	switch {
	case t.talkative:
		return errors.New("it did not work")
	case t.unsentUnknown:
		if e, ok := errors.AsType[*vendors.Error](err); ok {
			e.Unsent = false
		}
	}
	return err
}

func (t *toy) post(ctx context.Context, r *vendors.Request, tokens []string) (httpx.Reply, error) {
	msg, err := t.message(r, &body.Overrides{Reserved: t.reserved})
	if err != nil {
		return httpx.Reply{}, vendors.UnsentError("send", err)
	}
	if t.appends {
		return t.postText(ctx, r, body.WithTokens("", msg, `"to":[`, tokens, `]}`), nil)
	}
	doc, err := body.Object(msg)
	if err != nil {
		return httpx.Reply{}, vendors.UnsentError("send", err)
	}
	if _, replaced := doc["to"]; !replaced {
		doc["to"] = tokens
	}
	text, err := body.Encode(doc)
	if err != nil {
		return httpx.Reply{}, vendors.UnsentError("send", err)
	}
	return t.postText(ctx, r, text, doc)
}

func (t *toy) postText(ctx context.Context, r *vendors.Request, text []byte, doc map[string]any) (httpx.Reply, error) {
	req, err := httpx.Post(ctx, "send", t.base+"/send", "application/json", text)
	if err != nil {
		return httpx.Reply{}, err
	}
	req.Header.Set("Authorization", r.Access)
	if own, ok := doc["Authorization"].(string); ok && t.header {
		req.Header.Set("Authorization", own)
	}
	if t.greedy {
		return t.doGreedily(req)
	}
	return httpx.Do(t.client, "send", req)
}

func (t *toy) doGreedily(req *http.Request) (httpx.Reply, error) {
	resp, err := t.client.Do(req)
	if err != nil {
		return httpx.Reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return httpx.Reply{Status: resp.StatusCode, Body: text}, err
}

func (t *toy) read(reply httpx.Reply, r *vendors.Request) (vendors.Answer, error) {
	var said struct {
		Code string   `json:"code"`
		Text string   `json:"text"`
		Gone []string `json:"gone"`
	}
	a := vendors.Answer{Status: reply.Status, RetryAfter: reply.RetryAfter}
	if t.statusless {
		a.Status = 0
	}
	if t.impatient {
		a.RetryAfter = 0
	}
	err := json.Unmarshal(reply.Body, &said)
	switch {
	case t.hasty && strings.HasPrefix(string(reply.Body), `{"code":"ok"`), t.optimistic && err != nil:
		said.Code = "ok"
	case err != nil && t.leaksInError:
		return vendors.Answer{}, vendors.MalformedError("send", fmt.Errorf("read %q", reply.Body))
	case err != nil && reply.Status/100 != 2, err == nil && said.Code == "":
		a.Code = vendors.HTTPCode(reply.Status)
		return a, nil
	case err != nil:
		return vendors.Answer{}, vendors.MalformedError("send", errors.New("not JSON"))
	}
	text := httpx.RedactAnswer(said.Text, r.Tokens, r.Access, t.secret.Reveal())
	if t.leaks {
		text = said.Text
	}
	if t.leaksToken {
		text = httpx.Redact(said.Text, r.Access, t.secret.Reveal())
	}
	a.Code = classify.Code{Level: classify.Response, Code: said.Code, Text: text}
	if t.acceptsAll && said.Code != "busy" && said.Code != "full" {
		a.Code.Code = "ok"
	}
	named := map[string]string{}
	for _, token := range said.Gone {
		named[token] = "gone"
	}
	a.Tokens = vendors.NamedTokens(r.Tokens, named)
	return a, nil
}

func (t *toy) Grant(ctx context.Context, _ time.Time) (vendors.Grant, error) {
	if t.cachesGrants {
		t.cachedMu.Lock()
		defer t.cachedMu.Unlock()
		if t.cached.Access != "" {
			return t.cached, nil
		}
	}
	req, err := httpx.Post(ctx, "fetch access token", t.base+"/grant", "application/json", []byte(`{"secret":"`+t.secret.Reveal()+`"}`))
	if err != nil {
		return vendors.Grant{}, err
	}
	reply, err := httpx.Do(t.client, "fetch access token", req)
	if err != nil {
		return vendors.Grant{}, err
	}
	var said struct{ Code, Access string }
	if json.Unmarshal(reply.Body, &said) != nil {
		if reply.Status/100 == 2 {
			return vendors.Grant{}, vendors.MalformedError("fetch access token", errors.New("not JSON"))
		}
		return vendors.Grant{}, &vendors.Error{Op: "fetch access token", Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}
	}
	if said.Code != "ok" {
		return vendors.Grant{}, &vendors.Error{Op: "fetch access token", Code: classify.Code{Level: classify.Auth, Code: said.Code}, Status: reply.Status}
	}
	if t.cachesGrants {
		t.cached = vendors.Grant{Access: said.Access, Lifetime: time.Hour}
	}
	return vendors.Grant{Access: said.Access, Lifetime: time.Hour}, nil
}

func parseToy(codes string) *classify.Table { return classify.MustParse("toy", codes) }
