package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestListenServesAndStops(t *testing.T) {
	t.Parallel()
	s := New(play.Options{AnyCredentials: true})
	if err := s.SetFaults([]play.Fault{{TokenPrefix: "hang", Hang: true}, {TokenPrefix: "slow", Delay: play.Duration(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	do := func(body string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/1/messages:send", strings.NewReader(body))
		if err != nil {
			return 0, err
		}
		for k, v := range playtest.HuaweiHeader("x") {
			req.Header.Set(k, v)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, errors.Join(err, resp.Body.Close())
	}
	type outcome struct {
		status int
		err    error
	}
	hung, slow := make(chan outcome, 1), make(chan outcome, 1)
	go func() {
		got, err := do(playtest.HuaweiMessage("hang"))
		hung <- outcome{got, err}
	}()
	go func() {
		got, err := do(playtest.HuaweiMessage("slow"))
		slow <- outcome{got, err}
	}()
	for s.Report().Vendors["huawei"].InFlightPeak < 2 || len(s.Report().Vendors["huawei"].Faults) < 2 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := <-hung; got.err == nil {
		t.Errorf("the hanging request: got %+v, want an error", got)
	}
	if got := <-slow; got.err != nil || got.status != 200 {
		t.Errorf("the slow request: got %+v, want its answer", got)
	}
	if _, _, err := s.Listen("256.0.0.1:0"); err == nil {
		t.Error("a wrong address: want an error")
	}
}

func TestStoppingDoesNotWaitForLateReceipts(t *testing.T) {
	t.Parallel()
	s := New(play.Options{AnyCredentials: true})
	url, stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetReceipts("huawei", &play.Receipts{URL: url, Late: play.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if w := playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("a")), playtest.HuaweiHeader("any"))); w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if err := stop(t.Context()); err != nil || s.Report().Vendors["huawei"].Receipts != 0 {
		t.Errorf("got %v and %v, want no receipt", err, s.Report().Vendors["huawei"])
	}
}
