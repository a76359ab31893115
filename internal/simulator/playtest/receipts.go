package playtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// receiver is an app's address for receipts.
type receiver struct {
	*httptest.Server
	status int
	mu     sync.Mutex
	bodies []string
}

// NewReceiver answers every receipt with a status until the test ends.
func NewReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	a := &receiver{status: status}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.bodies = append(a.bodies, r.Header.Get("Content-Type")+" "+string(body))
		w.WriteHeader(a.status)
	}))
	t.Cleanup(a.Close)
	return a
}

// Received waits for every receipt that is on its way. It returns the content
// type and body of each call to a.
func (r *Rig) Received(a *receiver) []string {
	r.WaitForReceipts()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bodies
}
