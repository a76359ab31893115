package xiaomi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// A wrong row in one of these sets would lose messages or send them twice.
func TestCodesThatMatterMost(t *testing.T) {
	t.Parallel()
	rows := vendortest.CodeSets(t, codes())
	rows("only these mean success", vendortest.Class(classify.Success), "response/0", "response/10035", "receipt/1", "receipt/2")
	rows("only these delete a token", vendortest.Action(classify.Delete),
		"response/20301", "response/10029/one", "response/66007/one", "token/bad_regids", "receipt/16")
	rows("only these suppress or replace a token", func(r classify.Row) bool { return r.Action == classify.Suppress || r.Action == classify.Replace },
		"response/65007", "receipt/32", "receipt/16/replace")
	rows("only these slow the app down", func(r classify.Row) bool { return r.Remedy == classify.SlowDown && r.Scope == classify.ScopeApp },
		"http/429", "http/503", "response/10022", "response/10023", "response/10024", "response/10027", "response/10028", "response/200002")
	rows("only these stop the app", func(r classify.Row) bool { return r.Remedy == classify.Config && r.Scope == classify.ScopeApp },
		"http/401", "http/403", "http/404", "http/405", "http/407", "response/10004", "response/10005", "response/10006", "response/10007",
		"response/10014", "response/10020", "response/10021", "response/10026", "response/10031", "response/10036", "response/21301", "response/21302",
		"response/21303", "response/22000", "response/22001", "response/22002", "response/22004", "response/22005", "response/22006", "response/22007",
		"response/22008", "response/22020", "response/22021", "response/22022")
	rows("only these park a job", vendortest.Waits(classify.Config, classify.ScopeBatch),
		"response/10033", "response/10038", "response/27001", "response/65037", "response/65038", "response/66109")
	rows("only these wait for a quota", func(r classify.Row) bool { return r.Remedy == classify.WaitQuota && r.Level != classify.Receipt },
		"response/10034", "response/200001", "token/channel_exceed_quota", "token/channel_exceed_quota/some")
	rows("only these halve a request", vendortest.Remedy(classify.Split), "http/413", "response/10018", "response/10029", "response/66007")
	rows("no row renews an access token: the secret is static", vendortest.Remedy(classify.RefreshAuth))
	rows("only these limit the tries", func(r classify.Row) bool { return r.Tries > 0 && r.Level == classify.Response },
		"response/-1", "response/10010", "response/10030", "response/10032", "response/10033", "response/10037", "response/10038", "response/10039",
		"response/22101", "response/22102", "response/26004", "response/26005", "response/65003", "response/65006", "response/66109", "response/20301/other")
}

// Xiaomi writes codes as numbers. Each is read as its plain row from a request
// with several tokens.
func TestEveryCodeIsReadAsANumber(t *testing.T) {
	t.Parallel()
	for _, row := range codes().Explain("") {
		if row.Level != classify.Response || strings.Contains(row.Code, "/") || row.Code == codeSuccess {
			continue
		}
		body := fmt.Sprintf(`{"result":"error","reason":"No valid targets!","trace_id":"Xcm58061602298211208Nt","code":%s,"description":"发送消息失败"}`, row.Code)
		got, err := readAnswer(httpx.Reply{Status: 200, Body: []byte(body)}, sentTo("a", "b"), "secret")
		if err != nil || got.Code.String() != "response/"+row.Code || len(got.Tokens) != 0 {
			t.Errorf("code %s: got %v with %d token codes (%v)", row.Code, got.Code, len(got.Tokens), err)
		}
	}
}

func TestOnlyProofDeletes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		result string
		reason string
		code   string
		tokens []string
		want   string
		class  classify.Class
	}{
		{"no valid target", 200, "error", `"No valid targets!"`, "20301", []string{"a", "b"}, "20301", classify.TokenInvalid},
		{"white space around the reason", 200, "error", `" No valid targets!\n"`, "20301", []string{"a"}, "20301", classify.TokenInvalid},
		{"another reason", 200, "error", `"No valid target!"`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"the reason in a longer one", 200, "error", `"No valid targets! Or is it us?"`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"a reason of another type", 200, "error", `["No valid targets!"]`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"an empty reason", 200, "error", `""`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"a result that contradicts", 200, "ok", `"No valid targets!"`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"a status that contradicts", 500, "error", `"No valid targets!"`, "20301", []string{"a"}, "20301/other", classify.Retryable},
		{"another code with that reason", 200, "error", `"No valid targets!"`, "10001", []string{"a"}, "10001", classify.Retryable},
		{"an ill-formed token as the only one", 200, "error", `"bad"`, "66007", []string{"a"}, "66007/one", classify.TokenInvalid},
		{"an ill-formed token of two", 200, "error", `"bad"`, "66007", []string{"a", "b"}, "66007", classify.Permanent},
		{"an ill-formed token as the only one, with a status that contradicts", 400, "error", `"bad"`, "66007", []string{"a"}, "66007", classify.Permanent},
		{"no device for the only token", 200, "error", `"bad"`, "10029", []string{"a"}, "10029/one", classify.TokenInvalid},
		{"no device for one of two tokens", 200, "error", `"bad"`, "10029", []string{"a", "b"}, "10029", classify.Permanent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"result":%q,"reason":%s,"code":%s,"description":"发送消息失败"}`, tt.result, tt.reason, tt.code)
			got, err := readAnswer(httpx.Reply{Status: tt.status, Body: []byte(body)}, sentTo(tt.tokens...), "secret")
			if err != nil || got.Code.Code != tt.want {
				t.Fatalf("got %v (%v), want %s", got.Code, err, tt.want)
			}
			row, known := codes().Lookup(got.Code.Level, got.Code.Code)
			if row.Class != tt.class || !known {
				t.Errorf("%s is %s, want %s", got.Code, row.Class, tt.class)
			}
		})
	}
}
