package play

import (
	"fmt"
	"net/http"
	"time"
)

// Fault is a rule by which the server fails a request. The first rule that
// matches a request and fires decides about it. A rule without status, body,
// code, hang, reset or half_body lets the vendor answer as usual, but late or
// with more headers.
type Fault struct {
	// Name is what reports call the rule; if empty it is given one, like "fault 2".
	Name string `json:"name,omitempty"`

	// The rule matches requests to this vendor, endpoint and app with at least one
	// token of this prefix. An empty field matches everything.
	Vendor      string `json:"vendor,omitempty"`
	Endpoint    string `json:"endpoint,omitempty"`
	App         string `json:"app,omitempty"`
	TokenPrefix string `json:"token_prefix,omitempty"`

	// Probability is the chance, 0 to 1, that a match fires; 0 means always.
	Probability float64 `json:"probability,omitempty"`
	// After is how many matches come before the rule begins to fire.
	After int `json:"after,omitempty"`
	// Times is how often the rule fires; 0 is no limit.
	Times int `json:"times,omitempty"`

	// Status, Headers and Body replace the answer's. A status without body or
	// code has no body.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Code is a business code, answered in the vendor's own envelope with the
	// text and HTTP status that its documents give, unless Status says otherwise.
	Code string `json:"code,omitempty"`
	// Delay comes before the answer: before the vendor handles the request or,
	// with Accept, after it.
	Delay Duration `json:"delay,omitempty"`
	// Hang gives no answer until the client leaves.
	Hang bool `json:"hang,omitempty"`
	// Reset resets the TCP connection instead of an answer.
	Reset bool `json:"reset,omitempty"`
	// HalfBody declares the length of the whole answer and sends half of it.
	HalfBody bool `json:"half_body,omitempty"`
	// Accept makes the vendor handle the request, with all checks and counts,
	// before the fault. Without it the vendor never sees the request, whatever the
	// answer says.
	Accept bool `json:"accept,omitempty"`
}

// Duration is a time.Duration written like "200ms" in JSON.
type Duration time.Duration

// MarshalText writes the duration like "200ms".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration like "200ms".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// FaultError says which field of which rule is wrong.
type FaultError struct {
	Field  string // like "faults[0].probability"
	Reason string
}

// Error names the field and says what would be right.
func (e *FaultError) Error() string { return e.Field + ": " + e.Reason }

// check returns the first wrong field of a rule, by its JSON name, and why.
func (f *Fault) check(players map[string]*player) (field, reason string) {
	switch {
	case f.Vendor != "" && players[f.Vendor] == nil:
		return "vendor", fmt.Sprintf("%q is not played here", f.Vendor)
	case f.Endpoint != "" && !f.reachable(players):
		return "endpoint", fmt.Sprintf("there is no endpoint %q", f.Endpoint)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return "probability", "must be between 0 and 1"
	case f.After < 0:
		return "after", "must not be negative"
	case f.Times < 0:
		return "times", "must not be negative"
	}
	return f.checkAnswer()
}

func (f *Fault) checkAnswer() (field, reason string) {
	switch {
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return "status", "must be between 200 and 599"
	case f.Delay < 0:
		return "delay", "must not be negative"
	case f.Code != "" && f.Body != "":
		return "body", "contradicts code: the code makes the body"
	case f.Hang && (f.Reset || f.HalfBody):
		return "hang", "contradicts reset and half_body"
	case f.Reset && f.HalfBody:
		return "reset", "contradicts half_body"
	case f.Accept && f.answersNormally() && f.Delay == 0:
		return "accept", "means nothing without a fault or delay: the request is handled anyway"
	case f.answersNormally() && f.Delay == 0 && len(f.Headers) == 0:
		return "status", "the rule does nothing: give status, headers, body, code, delay, hang, reset or half_body"
	}
	for name := range f.Headers {
		if http.CanonicalHeaderKey(name) == "Content-Length" {
			return "headers", "rules must not set Content-Length: use half_body"
		}
	}
	return "", ""
}

// answersNormally reports whether the vendor answers as without the rule.
func (f *Fault) answersNormally() bool {
	return f.Status == 0 && f.Body == "" && f.Code == "" && !f.Hang && !f.Reset && !f.HalfBody
}

func (f *Fault) reachable(players map[string]*player) bool {
	for name, p := range players {
		if (f.Vendor == "" || f.Vendor == name) && p.has(f.Endpoint) {
			return true
		}
	}
	return false
}

// checkFaults returns a *FaultError for the first rule that is wrong.
func checkFaults(faults []Fault, players map[string]*player) error {
	names := map[string]bool{}
	for i := range faults {
		f := &faults[i]
		field, reason := f.check(players)
		if field == "" && names[f.Name] {
			field, reason = "name", fmt.Sprintf("%q is taken by another rule", f.Name)
		}
		if field != "" {
			return &FaultError{Field: faultField(i, field), Reason: reason}
		}
		names[f.Name] = f.Name != ""
	}
	return nil
}

func faultField(i int, field string) string {
	if field == "" {
		return fmt.Sprintf("faults[%d]", i)
	}
	return fmt.Sprintf("faults[%d].%s", i, field)
}
