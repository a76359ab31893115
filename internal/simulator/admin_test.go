package simulator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestTheSimulatorIsControlledOverHTTP(t *testing.T) {
	t.Parallel()
	r := playtest.Serve(t, New(play.Options{}).Server)
	token := r.HuaweiToken()
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
		{"POST", "/v1/100001/messages:send", playtest.HuaweiMessage("a"), 200, "80000000"},
		{"GET", "/_simulator/count?vendor=huawei&token=a", "", 200, `"count": 1`},
		{"GET", "/_simulator/count?vendor=huawei&token=b", "", 200, `"count": 0`},
		{"GET", "/_simulator/count?vendor=nobody&token=a", "", 400, `"field": "vendor"`},
		{"GET", "/_simulator/count?vendor=huawei", "", 400, `"field": "token"`},
		{"GET", "/_simulator/report", "", 200, `"accepted": 1`},
		{"GET", "/_simulator/requests", "", 200, `"endpoint": "send"`},
		{"POST", "/_simulator/revoke?vendor=oppo", "", 200, `"revoked": 0`},
		{"POST", "/_simulator/revoke", "", 200, `"revoked": 1`},
		{"POST", "/v1/100001/messages:send", playtest.HuaweiMessage("a"), 401, "80200001"},
		{"POST", "/_simulator/reset", "", 200, `{}`},
		{"GET", "/_simulator/report", "", 200, `"requests": 0`},
		{"POST", "/_simulator/report", "", 404, `"error"`},
		{"GET", "/_simulator/nothing", "", 404, `"error"`},
	}
	for _, step := range steps {
		got := r.Must(step.method, step.path, step.body, playtest.HuaweiHeader(token))
		if got.Status != step.status || !strings.Contains(got.Body, step.want) {
			t.Errorf("%s %s: got %d %s, want %d with %s", step.method, step.path, got.Status, got.Body, step.status, step.want)
		}
	}
	r.WantViolations(0)
}

func TestFaultsSurviveTheirJSON(t *testing.T) {
	t.Parallel()
	const want = `[{"name":"n","vendor":"huawei","endpoint":"send","app":"1","token_prefix":"t","probability":0.5,"after":1,"times":2,` +
		`"status":503,"headers":{"Retry-After":"1"},"code":"81000001","delay":"200ms","half_body":true,"accept":true}]`
	faults, err := play.ParseFaults([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(faults)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestReceiptsAreSetOverHTTP(t *testing.T) {
	t.Parallel()
	r := playtest.Serve(t, New(play.Options{}).Server)
	for body, want := range map[string]string{
		`{"nokia":{}}`:              `"field": "nokia"`,
		`{"huawei":{"twise":true}}`: `unknown field \"twise\"`,
		`{"huawei":null}`:           `{}`,
		`{"huawei":{"url":"http://127.0.0.1:1/r","late":"1s"}}`: `{}`,
	} {
		if got := r.Must("PUT", "/_simulator/receipts", body, nil); !strings.Contains(got.Body, want) {
			t.Errorf("%s: got %d %s, want %s", body, got.Status, got.Body, want)
		}
	}
}
