package play_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestReceiptsFollowAPush(t *testing.T) {
	t.Parallel()
	tagged := func(tokens ...string) string {
		return strings.Replace(playtest.HuaweiMessage(tokens...), `{"notif`, `{"bi_tag":"tag","notif`, 1)
	}
	const status = `"biTag":%q,"requestId":%q,"status":%d,"timestamp":1767323045000,"token":%q}`
	item := func(tag, token string, code int) string {
		return fmt.Sprintf(`{"appid":"100001",`+status, tag, tag, code, token)
	}
	nobody := item(strings.Repeat("f", 32), "nobody", 2)
	for _, tt := range []struct {
		name   string
		opt    play.Receipts
		tokens []string
		want   []string // of statuses, a call each
	}{
		{"for what was accepted", play.Receipts{}, []string{"a", "lost-b", "bad-c"}, []string{item("tag", "a", 0) + "," + item("tag", "lost-b", 2)}},
		{"twice", play.Receipts{Twice: true, Late: play.Duration(time.Millisecond)}, []string{"a"}, []string{item("tag", "a", 0), item("tag", "a", 0)}},
		{"with a stranger's", play.Receipts{Unknown: true}, []string{"a"}, []string{item("tag", "a", 0) + "," + nobody}},
		{"not for what is invalid", play.Receipts{}, []string{"bad-a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, app := newRig(t, play.Options{Now: playtest.NewClock().Now}), playtest.NewReceiver(t, http.StatusOK)
			tt.opt.URL = app.URL
			if err := r.SetReceipts("huawei", &tt.opt); err != nil {
				t.Fatal(err)
			}
			r.HuaweiSend(r.HuaweiToken(), tagged(tt.tokens...))
			got := r.Received(app)
			for i, want := range tt.want {
				if want = `application/json {"statuses":[` + want + `]}`; i >= len(got) || got[i] != want {
					t.Errorf("got %q, want %s", got, want)
				}
			}
			if n := r.Report().Vendors["huawei"].Receipts; len(got) != len(tt.want) || n != int64(len(got)) {
				t.Errorf("got %d calls and %d in the report, want %d", len(got), n, len(tt.want))
			}
			r.WantViolations(0)
		})
	}
}

func TestARefusedReceiptIsAViolation(t *testing.T) {
	t.Parallel()
	r, app := newRig(t, play.Options{}), playtest.NewReceiver(t, http.StatusForbidden)
	if err := r.SetReceipts("huawei", &play.Receipts{URL: app.URL}); err != nil {
		t.Fatal(err)
	}
	r.HuaweiSend(r.HuaweiToken(), playtest.HuaweiMessage("a"))
	r.Received(app)
	r.WantSaid("huawei", "answered with HTTP 403 Forbidden")
}
