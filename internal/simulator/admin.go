package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

// admin adds the paths that control the simulator while it runs.
func (s *Simulator) admin() {
	s.Handle("GET /_simulator/report", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Report()) })
	s.Handle("GET /_simulator/requests", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Requests()) })
	s.Handle("GET /_simulator/faults", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Faults()) })
	s.Handle("POST /_simulator/faults", s.change(func(f []play.Fault) error { return s.AddFaults(f...) }))
	s.Handle("PUT /_simulator/faults", s.change(s.SetFaults))
	s.Handle("DELETE /_simulator/faults", s.change(func([]play.Fault) error { return s.SetFaults(nil) }))
	s.Handle("POST /_simulator/reset", s.showReset)
	s.Handle("POST /_simulator/revoke", s.showRevoke)
	s.Handle("GET /_simulator/count", s.showCount)
	s.Handle("PUT /_simulator/receipts", s.changeReceipts)
	s.Handle("/_simulator/", func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusNotFound, problem{Error: "no such path or method below /_simulator/"})
	})
}

// problem is the answer to a wrong request to an admin path.
type problem struct {
	Error string `json:"error"`
	Field string `json:"field,omitempty"`
}

// change reads rules and applies them. The answer is the rules in force.
func (s *Simulator) change(use func([]play.Fault) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var faults []play.Fault
		if err == nil && len(body) > 0 {
			faults, err = play.ParseFaults(body)
		}
		if err == nil {
			err = use(faults)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		show(w, http.StatusOK, s.Faults())
	}
}

func refuse(w http.ResponseWriter, err error) {
	p := problem{Error: err.Error()}
	if wrong, ok := errors.AsType[*play.FaultError](err); ok {
		p = problem{Error: wrong.Reason, Field: wrong.Field}
	}
	show(w, http.StatusBadRequest, p)
}

// changeReceipts reads Receipts by vendor. Those of other vendors do not change.
func (s *Simulator) changeReceipts(w http.ResponseWriter, r *http.Request) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	var all map[string]*play.Receipts
	if err := dec.Decode(&all); err != nil {
		show(w, http.StatusBadRequest, problem{Error: strings.TrimPrefix(err.Error(), "json: "), Field: "receipts"})
		return
	}
	for vendor, receipts := range all {
		if err := s.SetReceipts(vendor, receipts); err != nil {
			show(w, http.StatusBadRequest, problem{Error: err.Error(), Field: vendor})
			return
		}
	}
	show(w, http.StatusOK, struct{}{})
}

func (s *Simulator) showReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	show(w, http.StatusOK, struct{}{})
}

func (s *Simulator) showRevoke(w http.ResponseWriter, r *http.Request) {
	n := s.RevokeAccessTokens(r.URL.Query().Get("vendor"))
	show(w, http.StatusOK, map[string]int{"revoked": n})
}

func (s *Simulator) showCount(w http.ResponseWriter, r *http.Request) {
	vendor, token := r.URL.Query().Get("vendor"), r.URL.Query().Get("token")
	switch {
	case !s.Plays(vendor):
		show(w, http.StatusBadRequest, problem{Error: "is not played here", Field: "vendor"})
	case token == "":
		show(w, http.StatusBadRequest, problem{Error: "must not be empty", Field: "token"})
	default:
		show(w, http.StatusOK, map[string]int{"count": s.Count(vendor, token)})
	}
}

func show(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // a client that left gets no answer
}
