package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheSimulatorIsSteeredOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	token := r.token()
	steps := []struct {
		method, path, body string
		status             int
		want               string // somewhere in the body
	}{
		{"POST", "/_simulator/faults", `{"name":"a","status":503,"delay":"1ms","times":1}`, 200, `"delay": "1ms"`},
		{"POST", "/_simulator/faults", `[{"name":"b","code":"80100016"}]`, 200, `"name": "a"`},
		{"GET", "/_simulator/faults", "", 200, `"name": "b"`},
		{"PUT", "/_simulator/faults", `[{"name":"c","status":500}]`, 200, `"name": "c"`},
		{"PUT", "/_simulator/faults", `[{"name":"d","probability":7,"status":500}]`, 400, `"field": "faults[0].probability"`},
		{"POST", "/_simulator/faults", `[{"status":"x"}]`, 400, `"field": "faults[0].status"`},
		{"GET", "/_simulator/faults", "", 200, `"name": "c"`},
		{"DELETE", "/_simulator/faults", "", 200, `[]`},
		{"POST", "/v1/100001/messages:send", good("a"), 200, "80000000"},
		{"GET", "/_simulator/count?vendor=huawei&token=a", "", 200, `"count": 1`},
		{"GET", "/_simulator/count?vendor=huawei&token=b", "", 200, `"count": 0`},
		{"GET", "/_simulator/count?vendor=nobody&token=a", "", 400, `"field": "vendor"`},
		{"GET", "/_simulator/count?vendor=huawei", "", 400, `"field": "token"`},
		{"GET", "/_simulator/report", "", 200, `"accepted": 1`},
		{"GET", "/_simulator/requests", "", 200, `"endpoint": "send"`},
		{"POST", "/_simulator/revoke?vendor=oppo", "", 200, `"revoked": 0`},
		{"POST", "/_simulator/revoke", "", 200, `"revoked": 1`},
		{"POST", "/v1/100001/messages:send", good("a"), 401, "80200001"},
		{"POST", "/_simulator/reset", "", 200, `{}`},
		{"GET", "/_simulator/report", "", 200, `"requests": 0`},
		{"POST", "/_simulator/report", "", 404, `"error"`},
		{"GET", "/_simulator/nothing", "", 404, `"error"`},
	}
	for _, step := range steps {
		got := r.must(step.method, step.path, step.body, sendHeader(token))
		if got.status != step.status || !strings.Contains(got.body, step.want) {
			t.Errorf("%s %s: got %d %s, want %d with %s", step.method, step.path, got.status, got.body, step.status, step.want)
		}
	}
	r.wantViolations(0)
}

func TestFaultsSurviveTheirJSON(t *testing.T) {
	t.Parallel()
	const want = `[{"name":"n","vendor":"huawei","endpoint":"send","app":"1","token_prefix":"t","probability":0.5,"after":1,"times":2,` +
		`"status":503,"headers":{"Retry-After":"1"},"code":"81000001","delay":"200ms","half_body":true,"accept":true}]`
	faults, err := ParseFaults([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(faults)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
