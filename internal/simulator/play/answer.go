package play

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
)

// Answer is what a vendor answers. A status of 0 means 200.
type Answer struct {
	Status      int
	ContentType string // empty means none
	Header      map[string]string
	Body        []byte
}

func (a Answer) write(w http.ResponseWriter) { a.writeFirst(w, len(a.Body)) }

// writeHalf declares the length of the whole body and sends half of it.
func (a Answer) writeHalf(w http.ResponseWriter) {
	a.writeFirst(w, len(a.Body)/2)
	_ = http.NewResponseController(w).Flush() // the first half is sent; the rest never comes
	panic(http.ErrAbortHandler)
}

func (a Answer) writeFirst(w http.ResponseWriter, n int) {
	h := w.Header()
	if a.ContentType != "" {
		h.Set("Content-Type", a.ContentType)
	}
	for k, v := range a.Header {
		h.Set(k, v)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body[:n]) // a client that left gets no answer
}

// reset breaks the connection so that the client sees a TCP reset. Over
// HTTP/2, where streams share a connection, it resets the stream.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // closed below without TLS's closing message
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else the client would read an orderly end
	}
	_ = conn.Close() // nothing depends on it
}

// Overloaded is the page of a gateway that is overloaded: a status and HTML that
// no document describes.
func Overloaded() Answer {
	return Answer{
		Status: http.StatusServiceUnavailable, ContentType: "text/html",
		Body: []byte("<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"),
	}
}
