package simulator

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
)

// answer is what a vendor says. The zero status means 200.
type answer struct {
	status      int
	contentType string // empty means none
	header      map[string]string
	body        []byte
}

func (a answer) write(w http.ResponseWriter) { a.writeFirst(w, len(a.body)) }

// writeHalf declares the whole body and breaks off in its middle.
func (a answer) writeHalf(w http.ResponseWriter) {
	a.writeFirst(w, len(a.body)/2)
	_ = http.NewResponseController(w).Flush() // what can be sent is sent; the rest never comes
	panic(http.ErrAbortHandler)
}

func (a answer) writeFirst(w http.ResponseWriter, n int) {
	h := w.Header()
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	for k, v := range a.header {
		h.Set(k, v)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:n]) // a client that left misses its answer
}

// reset breaks the connection in a way that TCP reports as a reset. Over
// HTTP/2, where streams share a connection, it resets the stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // closed below without TLS's own goodbye
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client would read an orderly end
	}
	_ = conn.Close() // nothing is left to be saved
}
