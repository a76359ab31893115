package classify

import "strconv"

// Transport codes: what an adapter reports when a request had no answer.
const (
	Dial      = "dial"      // no connection: nothing was sent
	Timeout   = "timeout"   // no answer in time: the vendor may have accepted it
	Broken    = "broken"    // the connection or the answer broke off: same
	Canceled  = "canceled"  // postrider gave the request up: the vendor may have accepted it
	Oversized = "oversized" // the answer was longer than the limit
	Malformed = "malformed" // the answer is not in the vendor's format
)

// defaults hold for every vendor whose table has no row for the code. They follow
// from the protocol: RFC 9110 for HTTP statuses.
var defaults = []Row{
	{Level: Transport, Code: Dial, Class: Retryable, Remedy: Backoff, Scope: ScopeApp, Meaning: "no connection to the vendor; nothing was sent", Source: "postrider"},
	{Level: Transport, Code: Timeout, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "no answer in time; the vendor may have accepted the request", Source: "postrider"},
	{Level: Transport, Code: Broken, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "the connection broke before the answer was whole; the vendor may have accepted the request", Source: "postrider"},
	{Level: Transport, Code: Canceled, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "the worker stopped or lost the task before there was an answer; the vendor may have accepted the request", Source: "postrider"},
	{Level: Transport, Code: Oversized, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Tries: 2, Meaning: "the answer is longer than any the vendor documents; the vendor may have accepted the request", Source: "postrider"},
	{Level: Transport, Code: Malformed, Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Tries: 3, Meaning: "the answer is not in the vendor's format; the vendor may have accepted the request", Source: "postrider"},
	{Level: HTTP, Code: "400", Class: Permanent, Remedy: DropBatch, Scope: ScopeBatch, Meaning: "bad request", Source: "RFC 9110"},
	{Level: HTTP, Code: "401", Class: Retryable, Remedy: RefreshAuth, Scope: ScopeApp, Meaning: "not authenticated", Source: "RFC 9110"},
	{Level: HTTP, Code: "403", Class: Permanent, Remedy: Config, Scope: ScopeApp, Meaning: "forbidden", Source: "RFC 9110"},
	{Level: HTTP, Code: "404", Class: Permanent, Remedy: Config, Scope: ScopeApp, Meaning: "no such address", Source: "RFC 9110"},
	{Level: HTTP, Code: "405", Class: Permanent, Remedy: Config, Scope: ScopeApp, Meaning: "method not allowed", Source: "RFC 9110"},
	{Level: HTTP, Code: "407", Class: Permanent, Remedy: Config, Scope: ScopeApp, Meaning: "a proxy wants authentication", Source: "RFC 9110"},
	{Level: HTTP, Code: "408", Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "the vendor waited too long for the request", Source: "RFC 9110"},
	{Level: HTTP, Code: "413", Class: Permanent, Remedy: Split, Scope: ScopeBatch, Meaning: "request too large", Source: "RFC 9110"},
	{Level: HTTP, Code: "429", Class: Retryable, Remedy: SlowDown, Scope: ScopeApp, Meaning: "too many requests", Source: "RFC 6585"},
	{Level: HTTP, Code: "500", Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Tries: 3, Meaning: "internal error of the vendor", Source: "RFC 9110"},
	{Level: HTTP, Code: "502", Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "bad gateway", Source: "RFC 9110"},
	{Level: HTTP, Code: "503", Class: Retryable, Remedy: SlowDown, Scope: ScopeApp, Meaning: "service unavailable", Source: "RFC 9110"},
	{Level: HTTP, Code: "504", Class: Retryable, Remedy: Backoff, Scope: ScopeBatch, Meaning: "gateway timeout; the vendor may have accepted the request", Source: "RFC 9110"},
}

// httpFamily returns a row by the status's first digit, for statuses without a row.
func httpFamily(code string) (Row, bool) {
	n, err := strconv.Atoi(code)
	if err != nil || n < 100 || n > 599 {
		return Row{}, false
	}
	row := Row{Level: HTTP, Code: code, Scope: ScopeBatch, Source: "RFC 9110"}
	switch {
	case n >= 500:
		row.Class, row.Remedy, row.Tries, row.Meaning = Retryable, Backoff, 3, "server error"
	case n >= 400:
		row.Class, row.Remedy, row.Meaning = Permanent, DropBatch, "client error"
	case n >= 300:
		row.Class, row.Remedy, row.Scope, row.Meaning = Permanent, Config, ScopeApp, "redirect: the address is wrong (redirects are not followed)"
	default:
		// A 2xx without a result code: the outcome is unknown, never a success.
		row.Class, row.Remedy, row.Tries, row.Meaning = Retryable, Backoff, 3, "no result in the answer"
	}
	return row, true
}

// Uncertain reports whether the vendor may have accepted the request although it
// got this answer: the function Uncertain says so of the code, or the code is so
// unclear that its row limits the tries.
func (r Row) Uncertain() bool {
	return Uncertain(r.Level, r.Code) || r.Remedy == Backoff && r.Tries > 0
}

// Uncertain reports whether the vendor may have accepted a request that ended with
// this code. Of the server errors only 501, 503 and 505 refuse the request; for the
// others a proxy in between may have lost the answer.
func Uncertain(level Level, code string) bool {
	switch level {
	case Transport:
		return code != Dial
	case HTTP:
		n, err := strconv.Atoi(code)
		refused := n == 501 || n == 503 || n == 505
		return err == nil && (n < 300 || n == 408 || n >= 500 && !refused)
	case Auth, Response, Token, Receipt, Callback:
	}
	return false
}
