package simulator

// vendors is the table of everybody the simulator plays. The paths of all share
// one http.ServeMux, which panics at once when two of them collide.
var vendors = []func(Options) vendor{
	huawei,
	harmony,
	honor,
	oppo,
	vivo,
	xiaomi,
	meizu,
	tim,
}

// vendor is one vendor's side of the conversation. State beyond the frame's own
// (stored messages, say) lives in the closures of its endpoints.
type vendor struct {
	name      string
	endpoints []endpoint
	// envelope returns a business code in the vendor's own form, as said by the
	// endpoint of the call, with the HTTP status that goes with it.
	envelope func(c *call, code string) answer
}

// endpoint is one path of a vendor.
type endpoint struct {
	name    string // as in faults and reports: "token", "send"
	pattern string // for http.ServeMux, without a method
	secret  bool   // the body holds a secret: the journal leaves it out
	// open finds the app and the push tokens of a request, so that faults can
	// match them. It judges nothing and answers nothing.
	open func(c *call)
	// handle checks the request, counts what it accepts and answers.
	handle func(c *call) answer
	// success is what the endpoint says when all is well. It counts nothing: it
	// is the answer of the sink, and what a half body is cut from.
	success func(c *call) answer
	// sink tells that the sink answers for this endpoint.
	sink bool
}

// knows tells whether the vendor has an endpoint of that name.
func (v vendor) knows(endpoint string) bool {
	for _, e := range v.endpoints {
		if e.name == endpoint {
			return true
		}
	}
	return false
}
