package simulator

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/simulator/huawei"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestAPlayerReplacesTheOneOfItsName(t *testing.T) {
	t.Parallel()
	for want, others := range map[int][]play.Vendor{
		401: nil,
		418: {huawei.New(huawei.Options{AuthStatus: 418})},
	} {
		s := New(Options{}, others...)
		got := playtest.Record(s, playtest.Post("/v1/100001/messages:send", []byte(playtest.HuaweiMessage("a")), nil))
		if got.Code != want {
			t.Errorf("with %d players of its own: got %d, want %d", len(others), got.Code, want)
		}
		if n := len(s.Report().Vendors); n != len(players) {
			t.Errorf("got %d vendors, want %d", n, len(players))
		}
	}
}

// A new vendor needs no more than this: its paths, and no receipts.
func TestAVendorMayHaveNoReceipts(t *testing.T) {
	t.Parallel()
	accept := func(c *play.Call) play.Answer {
		c.FindInvalid()
		c.Accept()
		c.SendReceipts(c.Receipt)
		return play.Answer{Body: []byte("ok")}
	}
	s := New(Options{}, play.Vendor{
		Name: "toy",
		Endpoints: []play.Endpoint{{
			Name: "send", Pattern: "/toy/send",
			Open:    func(c *play.Call) { c.ScanTokens("tokens") },
			Handle:  accept,
			Success: func(*play.Call) play.Answer { return play.Answer{Body: []byte("ok")} },
		}},
		Envelope: func(_ *play.Call, code string) play.Answer { return play.Answer{Body: []byte(code)} },
	})
	if got := playtest.Record(s, playtest.Post("/toy/send", []byte(`{"tokens":["a","bad-b"]}`), nil)); got.Body.String() != "ok" {
		t.Errorf("got %s, want ok", got.Body)
	}
	if v := s.Report().Vendors["toy"]; v.Accepted != 1 || v.Invalid != 1 {
		t.Errorf("got %d accepted and %d invalid, want 1 and 1", v.Accepted, v.Invalid)
	}
	if err := s.SetReceipts("toy", &Receipts{URL: "http://127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "sends no receipts") {
		t.Errorf("got %v, want that it sends no receipts", err)
	}
	if err := s.SetReceipts("toy", nil); err != nil {
		t.Errorf("no receipts: got %v", err)
	}
}

func TestTwoVendorsOfOneNamePanic(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("got a simulator, want a panic")
		}
	}()
	New(Options{}, play.Vendor{Name: "toy"}, play.Vendor{Name: "toy"})
}
