package play

import "time"

// Vendor is one vendor's side of the conversation. What a vendor remembers
// beyond what the server does (stored messages, say) lives in the closures of
// its endpoints, so a vendor belongs to one server.
type Vendor struct {
	Name      string
	Endpoints []Endpoint
	// Envelope returns a business code in the vendor's own form, as the endpoint
	// of the call would answer it, with the HTTP status that goes with it.
	Envelope func(c *Call, code string) Answer
	// Receipts writes one call with receipts for some tokens of an app, at most
	// 100; nil means that the vendor sends no receipts.
	Receipts func(r Receipts, app string, now time.Time, outcomes []Outcome) ReceiptCall
}

// Endpoint is one path of a vendor.
type Endpoint struct {
	Name    string // as in faults and reports: "token", "send"
	Pattern string // for http.ServeMux, without a method
	Secret  bool   // the body holds a secret: the journal leaves it out
	// Open finds the app and the push tokens of a request, so that faults can
	// match them. It checks nothing and answers nothing.
	Open func(c *Call)
	// Handle checks the request, counts what it accepts and answers.
	Handle func(c *Call) Answer
	// Success is the answer when all is well. It counts nothing: it is the answer
	// of the sink, and a half body is its first half.
	Success func(c *Call) Answer
	// Sink: Options.Sink applies to this endpoint.
	Sink bool
}

// has reports whether the vendor has an endpoint of that name.
func (v Vendor) has(endpoint string) bool {
	for _, e := range v.Endpoints {
		if e.Name == endpoint {
			return true
		}
	}
	return false
}
