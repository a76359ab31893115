package oppo

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func TestReadListPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body       string
		want       []string
		unreadable int
		code       string // of the error
	}{
		"a page":                   {200, `{"code":0,"message":"success","data":{"registration_ids":["CN_a","CN_b"],"totalCount":100000}}`, []string{"CN_a", "CN_b"}, 0, ""},
		"the end":                  {200, `{"code":0,"message":"success","data":{"registration_ids":[],"totalCount":0}}`, nil, 0, ""},
		"the end without a list":   {200, `{"code":0,"message":"success","data":{"totalCount":0}}`, nil, 0, ""},
		"the end without data":     {200, `{"code":0,"message":"success","data":null}`, nil, 0, ""},
		"items that are not ids":   {200, `{"code":"0","data":{"registration_ids":["CN_a",null,7,"",{}]}}`, []string{"CN_a"}, 4, ""},
		"a count without its list": {200, `{"code":0,"data":{"totalCount":3}}`, nil, 0, "transport/malformed"},
		"another list":             {200, `{"code":0,"data":{"ids":["CN_a"]}}`, nil, 0, "transport/malformed"},
		"data of another type":     {200, `{"code":0,"data":"CN_a;CN_b"}`, nil, 0, "transport/malformed"},
		"no code":                  {200, `{"data":{"registration_ids":["CN_a"]}}`, nil, 0, "transport/malformed"},
		"an expired access token":  {200, `{"code":11,"message":"Invalid AuthToken the-token"}`, nil, 0, "response/11"},
		"a proxy's page":           {502, `<html>`, nil, 0, "http/502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readListPage(httpx.Reply{Status: c.status, Body: []byte(c.body)}, "the-token")
			if c.code != "" {
				e, ok := errors.AsType[*vendors.Error](err)
				if !ok || e.Code.String() != c.code || strings.Contains(err.Error(), "the-token") {
					t.Fatalf("got %v, want %s", err, c.code)
				}
				return
			}
			if err != nil || !slices.Equal(got.Tokens, c.want) || got.Unreadable != c.unreadable {
				t.Errorf("got %+v, %v, want %q and %d unreadable", got, err, c.want, c.unreadable)
			}
			row, known := codes().Lookup(got.Code.Level, got.Code.Code)
			if !known || row.Action != "delete" {
				t.Errorf("the list's code means %+v, want tokens to be deleted", row)
			}
		})
	}
}

func TestFetchListMakesOneRequestWithTheTokenInAHeader(t *testing.T) {
	t.Parallel()
	var seen []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		_, _ = w.Write([]byte(`{"code":0,"data":{"registration_ids":["CN_a"]}}`))
	}))
	defer server.Close()
	s := Settings{AppKey: "k", MasterSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1", FeedbackURL: server.URL}
	p := s.Open(server.Client()).(vendors.ListFetcher)
	got, err := p.FetchList(t.Context(), "the-token")
	if err != nil || !slices.Equal(got.Tokens, []string{"CN_a"}) || !p.HasList() {
		t.Fatalf("got %+v, %v", got, err)
	}
	const want = "/server/v1/feedback/fetch_invalid_regidList"
	if len(seen) != 1 || seen[0].Method != http.MethodGet || seen[0].RequestURI != want || seen[0].Header.Get("auth_token") != "the-token" {
		t.Errorf("got %d requests, the first %+v", len(seen), seen[0])
	}
}

func FuzzReadListPage(f *testing.F) {
	f.Add(200, []byte(`{"code":0,"message":"success","data":{"registration_ids":["CN_a"],"totalCount":1}}`))
	f.Add(500, []byte(`{"code":0,"data":[]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got, err := readListPage(httpx.Reply{Status: status, Body: body})
		var e *vendors.Error
		if err != nil && (!errors.As(err, &e) || e.Code.Code == "" || len(got.Tokens) > 0) || slices.Contains(got.Tokens, "") {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}
