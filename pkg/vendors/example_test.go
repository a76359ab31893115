package vendors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// nimbus is the adapter of a vendor whose answer is {"code": "ok"}, or another
// code and the tokens that it did not accept.
type nimbus struct {
	client *http.Client
	url    string
	key    vendors.Secret
}

// Send makes exactly one request.
func (n *nimbus) Send(ctx context.Context, r *vendors.Request) (vendors.Answer, error) {
	body, err := json.Marshal(map[string]any{"text": r.Message.Body, "to": r.Tokens, "id": r.Key})
	if err != nil {
		return vendors.Answer{}, vendors.UnsentError("send", err)
	}
	req, err := httpx.Post(ctx, "send", n.url, "application/json", body)
	if err != nil {
		return vendors.Answer{}, err
	}
	req.Header.Set("Authorization", n.key.Reveal())
	reply, err := httpx.Do(n.client, "send", req)
	if err != nil {
		return vendors.Answer{}, err
	}
	var said struct {
		Code string   `json:"code"`
		Gone []string `json:"gone"`
	}
	if json.Unmarshal(reply.Body, &said) != nil || said.Code == "" {
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status}, nil
	}
	named := map[string]string{}
	for _, token := range said.Gone {
		named[token] = "gone"
	}
	return vendors.Answer{
		Code:   classify.Code{Level: classify.Response, Code: said.Code},
		Tokens: vendors.NamedTokens(r.Tokens, named),
		Status: reply.Status,
	}, nil
}

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code": "partial", "gone": ["token-2"]}`)
	}))
	defer server.Close()

	var vendor vendors.Vendor = &nimbus{client: httpx.NewClient(8), url: server.URL, key: vendors.NewSecret("s3cret")}
	answer, err := vendor.Send(context.Background(), &vendors.Request{
		Message: &push.Message{Title: "Shipped", Body: "Your order is on its way"},
		Tokens:  []string{"token-1", "token-2"},
		TTL:     time.Hour,
		Key:     "0123456789abcdef0123456789abcdef",
		Now:     time.Now(),
	})
	if err != nil {
		fmt.Println(err) // an *Error: there is no answer
		return
	}
	fmt.Println("the request:", answer.Code)
	for _, t := range answer.Tokens {
		fmt.Printf("token %d: %s\n", t.Index, t.Code)
	}

	// Output:
	// the request: response/partial
	// token 1: token/gone
}

func ExampleSecret() {
	key := vendors.NewSecret("s3cret")
	fmt.Println(key, len(key.Reveal()))
	fmt.Printf("%+v\n", struct{ Key vendors.Secret }{key})

	// Output:
	// <secret> 6
	// {Key:<secret>}
}
