package simulator

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

// batches returns n bodies of 1,000 tokens each, as long as Huawei's.
func batches(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 1))
	bodies := make([][]byte, n)
	list := make([]string, 1000)
	raw := make([]byte, 64)
	for i := range bodies {
		for j := range list {
			for k := range raw {
				raw[k] = byte(rnd.Uint32())
			}
			list[j] = "IQ" + hex.EncodeToString(raw)
		}
		bodies[i] = []byte(playtest.HuaweiMessage(list...))
	}
	return bodies
}

// quiet is a http.ResponseWriter that costs nothing.
type quiet struct{ header http.Header }

func (q quiet) Header() http.Header         { return q.header }
func (q quiet) Write(b []byte) (int, error) { return len(b), nil }
func (q quiet) WriteHeader(int)             {}

// BenchmarkSend measures one request of 1,000 tokens without the network.
func BenchmarkSend(b *testing.B) {
	for _, known := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("with %d tokens counted before", known), func(b *testing.B) {
			s := New(play.Options{AnyCredentials: true})
			for i := 0; i < known; i += 1000 {
				fill(s, i)
			}
			bodies := batches(64)
			b.SetBytes(int64(len(bodies[0])))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/1/messages:send", bytes.NewReader(bodies[i%len(bodies)]))
				req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}
				s.ServeHTTP(quiet{http.Header{}}, req)
			}
		})
	}
}

// fill sends 1,000 tokens that no other request has.
func fill(s http.Handler, from int) {
	list := make([]string, 1000)
	for i := range list {
		list[i] = fmt.Sprintf("t-%d", from+i)
	}
	playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage(list...)), playtest.HuaweiHeader("x")))
}

// BenchmarkOverHTTP measures the same over a loopback connection with a client.
func BenchmarkOverHTTP(b *testing.B) {
	for name, opt := range map[string]play.Options{"counting": {AnyCredentials: true}, "sink": {Sink: true}} {
		b.Run(name, func(b *testing.B) {
			srv := httptest.NewServer(New(opt))
			defer srv.Close()
			body := batches(1)[0]
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, srv.URL+"/v1/1/messages:send", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}
				resp, err := srv.Client().Do(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(err, resp.StatusCode)
				}
			}
		})
	}
}
