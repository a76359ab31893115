package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// admin adds the paths that steer the simulator while it runs.
func (s *Simulator) admin() {
	s.mux.HandleFunc("GET /_simulator/report", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Report()) })
	s.mux.HandleFunc("GET /_simulator/requests", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Requests()) })
	s.mux.HandleFunc("GET /_simulator/faults", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, s.Faults()) })
	s.mux.HandleFunc("POST /_simulator/faults", s.change(func(f []Fault) error { return s.AddFaults(f...) }))
	s.mux.HandleFunc("PUT /_simulator/faults", s.change(s.SetFaults))
	s.mux.HandleFunc("DELETE /_simulator/faults", s.change(func([]Fault) error { return s.SetFaults(nil) }))
	s.mux.HandleFunc("POST /_simulator/reset", s.showReset)
	s.mux.HandleFunc("POST /_simulator/revoke", s.showRevoke)
	s.mux.HandleFunc("GET /_simulator/count", s.showCount)
	s.mux.HandleFunc("PUT /_simulator/receipts", s.changeReceipts)
	s.mux.HandleFunc("/_simulator/", func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusNotFound, problem{Error: "no such path or method below /_simulator/"})
	})
}

// problem is what a wrong request to the administration gets.
type problem struct {
	Error string `json:"error"`
	Field string `json:"field,omitempty"`
}

// change reads rules and puts them to use. The answer is the rules in force.
func (s *Simulator) change(use func([]Fault) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var faults []Fault
		if err == nil && len(body) > 0 {
			faults, err = ParseFaults(body)
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
	if wrong, ok := errors.AsType[*FaultError](err); ok {
		p = problem{Error: wrong.Reason, Field: wrong.Field}
	}
	show(w, http.StatusBadRequest, p)
}

// ParseFaults reads rules from a JSON array of them, or one rule alone. A
// *FaultError names the field that is unknown or has the wrong type. Whether a
// rule makes sense is for SetFaults and AddFaults to say.
func ParseFaults(text []byte) ([]Fault, error) {
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] == '{' {
		text = bytes.Join([][]byte{{'['}, text, {']'}}, nil)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, &FaultError{Field: "faults", Reason: "must be a JSON array of rules: " + err.Error()}
	}
	faults := make([]Fault, len(raw))
	for i, one := range raw {
		if err := parseFault(one, &faults[i]); err != nil {
			return nil, &FaultError{Field: faultField(i, err.Field), Reason: err.Reason}
		}
	}
	return faults, nil
}

// parseFault decodes a rule member by member, so that an error can name one.
func parseFault(text []byte, f *Fault) *FaultError {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return &FaultError{Reason: "must be an object"}
	}
	for name, value := range members {
		one, _ := json.Marshal(map[string]json.RawMessage{name: value}) // it was JSON a moment ago
		dec := json.NewDecoder(bytes.NewReader(one))
		dec.DisallowUnknownFields()
		if err := dec.Decode(f); err != nil {
			return &FaultError{Field: name, Reason: strings.TrimPrefix(err.Error(), "json: ")}
		}
	}
	return nil
}

// changeReceipts reads Receipts by vendor. Vendors that are not named stay.
func (s *Simulator) changeReceipts(w http.ResponseWriter, r *http.Request) {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	var all map[string]*Receipts
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
	case s.players[vendor] == nil:
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
	_ = enc.Encode(v) // a client that left misses its answer
}
